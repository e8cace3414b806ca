package hub

import (
	"crypto"
	"crypto/x509"
	"net/http"
	"strings"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubapi"
)

// signingKeys returns the keys with which a kiosk may have signed its events: those that the
// registry knows, and the former ones whose certificates the kiosk sends. The hub's CA issued
// those certificates to this kiosk, but a hub that was restored from a backup need not remember
// that. They may have expired.
func (h *Hub) signingKeys(r *http.Request, c caller) ([]crypto.PublicKey, error) {
	former, err := hubapi.DecodeFormer(strings.Join(r.Header.Values(hubapi.FormerHeader), ","))
	if err != nil {
		return nil, apihttp.Malformed(err.Error())
	}
	keys := h.deviceKeys(c)
	for _, der := range former {
		cert, err := x509.ParseCertificate(der)
		if err == nil {
			_, err = cert.Verify(x509.VerifyOptions{
				Roots: h.config.Clients, CurrentTime: cert.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			})
		}
		if err != nil {
			h.log.Warn("cannot use the certificate of a kiosk's former key", "kiosk", c.Name, "err", err)
			continue
		}
		if id, err := hubapi.IdentityOf(cert); err == nil && id == c.Identity && !cert.NotBefore.After(c.cert.NotBefore) {
			keys = append(keys, cert.PublicKey)
		}
	}
	return keys, nil
}
