package hub

import (
	"log/slog"
	"sync"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// abuseLogInterval is the time between two log lines about the same kind of abuse by the
// same identity.
const abuseLogInterval = time.Minute

// abuseLog logs that a client exceeds a limit, or is refused: one line a minute for each kind and
// identity, because a client that floods the hub must not flood its log.
type abuseLog struct {
	log *slog.Logger

	mu   sync.Mutex
	kept map[abuse]*abuseCount
}

type abuse struct {
	kind string
	by   hubapi.Identity // zero for a client whose certificate is not known
}

type abuseCount struct {
	logged time.Time
	times  int // since then
}

// maxAbuses bounds how many kinds and identities the log tells apart.
const maxAbuses = 1000

func (l *abuseLog) note(kind string, by hubapi.Identity, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	a := abuse{kind, by}
	if l.kept[a] == nil {
		if l.kept == nil || len(l.kept) >= maxAbuses {
			l.kept = map[abuse]*abuseCount{}
		}
		l.kept[a] = &abuseCount{}
	}
	count := l.kept[a]
	count.times++
	if now.Sub(count.logged) < abuseLogInterval {
		return
	}
	attributes := []any{"reason", kind, "caller", by, "requests", count.times, "err", detail}
	if kind == unacceptedCertificate || kind == wrongCode {
		l.log.Warn("client refused", attributes...)
	} else {
		l.log.Warn("client exceeds a limit", attributes...)
	}
	*count = abuseCount{logged: now}
}
