package hub

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/hub/broker"
	"smartkiosk/kiosk/protocol/event"
)

// certificateCheck is how often the hub looks at the certificates that it shows to phones
// and brokers.
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

// watchCertificates raises an alarm once a day while such a certificate ends soon.
func (h *Hub) watchCertificates(ctx context.Context) {
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		h.checkPhoneCertificate()
		h.checkMerchantCertificates()
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
	if until := pair.Leaf.NotAfter; until.Before(h.now().Add(broker.CertificateNotice)) {
		h.alarmAboutItself("certificate for phones "+until.Format(time.DateOnly), event.Alarm{Kind: event.AlarmCertificate,
			Detail: "the certificate for phones, " + filepath.Base(name) + ", ends on " + until.Format(time.DateOnly) + ": renew it; no restart is needed"})
	}
}

// checkMerchantCertificates does the same for the client certificates that brokers ask for.
func (h *Hub) checkMerchantCertificates() {
	for _, c := range h.config.Brokers.Clients() {
		m := c.Merchant()
		if m == nil || !m.NotAfter.Before(h.now().Add(broker.CertificateNotice)) {
			continue
		}
		name, until := c.Config().Name, m.NotAfter.Format(time.DateOnly)
		h.alarmAboutItself("merchant certificate "+name+" "+until, event.Alarm{Kind: event.AlarmCertificate,
			Detail: "the merchant certificate for broker " + name + " ends on " + until + ": order the next one from the broker, and replace the files; no restart is needed"})
	}
}
