package reader

import (
	"log/slog"
	"time"
)

// changeLog logs readers that are missing, plugged in and unplugged. It logs a
// missing reader once a minute. A reader with a bad contact can disappear and
// return many times a second; changeLog then counts the changes and logs their
// number once a minute. One goroutine uses it.
type changeLog struct {
	log      *slog.Logger
	reminded time.Time // when the missing reader was logged
	reason   string    // what was logged then
	readers  map[string]*changeCount
}

type changeCount struct {
	since   time.Time
	changes int
}

// missing logs that the slot has no reader, at once when the reason is new and
// then once a minute.
func (c *changeLog) missing(why error) {
	now := time.Now()
	if why.Error() == c.reason && now.Sub(c.reminded) < remindAfter {
		return
	}
	c.reason, c.reminded = why.Error(), now
	c.log.Warn("no card reader", "reason", c.reason)
}

// logChange logs that a reader was plugged in (there is true) or unplugged.
func (c *changeLog) logChange(there bool, reader string) {
	c.reason = ""
	now := time.Now()
	n := c.readers[reader]
	if n == nil || now.Sub(n.since) >= remindAfter {
		if n != nil && n.changes > quietAfter {
			c.log.Warn("reader comes and goes: check its cable and power", "reader", reader, "changes", n.changes)
		}
		n = &changeCount{since: now}
		if c.readers == nil {
			c.readers = map[string]*changeCount{}
		}
		c.readers[reader] = n
	}
	n.changes++
	switch {
	case n.changes > quietAfter:
	case there:
		c.log.Info("reader found", "reader", reader)
	default:
		c.log.Info("reader gone", "reader", reader)
	}
}
