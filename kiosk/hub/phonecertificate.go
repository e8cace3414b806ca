package hub

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/protocol/event"
)

// certificateNotice is how long before its end the hub raises an alarm about the
// certificate for phones. A public CA may need weeks for an organisation's first order.
const certificateNotice = 60 * 24 * time.Hour

// certificateCheck is how often the hub looks at it.
const certificateCheck = 24 * time.Hour

// phoneCertificate reads the certificate of the pages for phones.
func (c Config) phoneCertificate() (tls.Certificate, error) {
	in := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(c.Folder, name)
	}
	return tls.LoadX509KeyPair(in(c.Brokers.Public.Certificate), in(c.Brokers.Public.Key))
}

// watchPhoneCertificate raises an alarm once a day while the certificate ends soon.
func (h *Hub) watchPhoneCertificate(ctx context.Context) {
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		h.checkPhoneCertificate()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *Hub) checkPhoneCertificate() {
	name := h.config.Brokers.Public.Certificate
	pair, err := h.config.phoneCertificate()
	if err != nil {
		return // ServePublic reports it
	}
	if until := pair.Leaf.NotAfter; until.Before(h.now().Add(certificateNotice)) {
		h.alarmAboutItself("certificate for phones "+until.Format(time.DateOnly), event.Alarm{Kind: event.AlarmCertificate,
			Detail: "the certificate for phones, " + filepath.Base(name) + ", ends on " + until.Format(time.DateOnly) + ": renew it; no restart is needed"})
	}
}
