package hub

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// receiptTime bounds how long a kiosk may take to read the receipt. Its other connections stay
// open for that long.
const receiptTime = 10 * time.Second

// retire handles DELETE /v1/kiosk: a kiosk that is being reset ends its own certificates.
func (h *Hub) retire(w http.ResponseWriter, r *http.Request, c caller) error {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	defer h.identities.hold(c.Identity)()
	known, _, err := h.identities.registry.get(ctx, c.Identity)
	if err != nil {
		return err
	}
	receipt := hubpolicy.Retirement{Kiosk: c.Name, Time: h.now().UTC().Truncate(time.Second), Certificates: []string{}}
	for _, cert := range known.Certificates {
		if cert.Ended.IsZero() {
			receipt.Certificates = append(receipt.Certificates, cert.Fingerprint)
		}
	}
	jws, err := receipt.Sign(h.config.Sign)
	if err != nil {
		return err
	}
	if err := h.identities.registry.remove(ctx, c.Identity); err != nil {
		return err
	}
	h.log.Warn("a kiosk was reset, and its certificates have ended", "kiosk", c.Name)
	// A connection without deadlines is fine too, so the errors do not matter.
	answer := http.NewResponseController(w)
	_ = answer.SetWriteDeadline(time.Now().Add(receiptTime))
	w.Header().Set("Content-Length", strconv.Itoa(len(jws)))
	apihttp.Write(w, http.StatusOK, hubpolicy.MediaType, []byte(jws))
	_ = answer.Flush()
	return nil
}
