package daemon

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/atomicfile"
	"smartkiosk/kiosk/policy"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// The kiosk renews its certificate when two thirds of the time are over, with the same key:
// the key may be in a TPM, and the events that wait are signed with it.

const (
	renewalCheck    = time.Minute         // how often the kiosk checks whether it is time
	renewalMinRetry = time.Minute         // after the first failure
	renewalMaxRetry = time.Hour           // each failure doubles the time to the next attempt
	renewalTimeout  = 30 * time.Second    // of one attempt
	maxBeforeRenew  = 61 * 24 * time.Hour // certificates from before the renewal are valid for years

	// twinShown is how long after the hub's last word a technician sees that there is a
	// second machine.
	twinShown = 24 * time.Hour
)

// identity is the kiosk's certificate, and what the hub says about the kiosk's identity.
type identity struct {
	credentials *hubapi.Credentials
	file        string // of the certificate
	hub         string
	now         func() time.Time // by which certificates are judged
	log         *slog.Logger
	renew       func(ctx context.Context) (*x509.Certificate, error)
	show        func(mark string) // shows a mark on the panel

	mu      sync.Mutex
	failure string    // of the last attempt to renew, or ""
	twin    string    // address of a second machine
	twinAt  time.Time // when the hub named it last
}

func newIdentity(c *config.Config, credentials *hubapi.Credentials, now func() time.Time, log *slog.Logger) *identity {
	i := &identity{credentials: credentials, file: c.Hub.Certificate, hub: c.Hub.URL, now: now, log: log}
	i.renew, i.show = i.askHub, func(string) {}
	return i
}

// askHub gets a new certificate from the hub.
func (i *identity) askHub(ctx context.Context) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
	defer cancel()
	request, err := est.NewRequest(i.credentials.Identity, i.credentials.Key)
	if err != nil {
		return nil, err
	}
	return est.Renew(ctx, i.hub, i.credentials, request)
}

// renewAt returns when a certificate is to be renewed at the latest.
func renewAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(min(cert.NotAfter.Sub(cert.NotBefore)*2/3, maxBeforeRenew))
}

// run renews the certificate in time until ctx ends. jitter spreads the attempts of kiosks
// that were set up on the same day. It makes them earlier, so that a kiosk whose renewal
// works never shows its mark.
func (i *identity) run(ctx context.Context) {
	cert := i.credentials.Certificate()
	jitter := rand.N(max(time.Minute, cert.NotAfter.Sub(cert.NotBefore)/30))
	wait, retry := time.Duration(0), renewalMinRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = renewalCheck
		i.readFile()
		i.show(i.mark())
		cert = i.credentials.Certificate()
		if i.now().Before(renewAt(cert).Add(-jitter)) {
			continue
		}
		if err := i.renewNow(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			wait = retry/2 + rand.N(retry/2)
			retry = min(2*retry, renewalMaxRetry)
			i.log.Warn("cannot renew the certificate", "until", cert.NotAfter, "retry_in", wait.Round(time.Second), "err", err)
			continue
		}
		retry = renewalMinRetry
		i.show(i.mark())
	}
}

func (i *identity) renewNow(ctx context.Context) error {
	cert, err := i.renew(ctx)
	if err == nil {
		// First the file: a certificate that is in use must still be there after a restart.
		err = atomicfile.Replace(i.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o644)
	}
	if err == nil {
		err = i.credentials.Replace(cert)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failure = ""; err != nil {
		i.failure = err.Error()
		return err
	}
	i.log.Info("certificate renewed", "until", cert.NotAfter)
	return nil
}

// readFile takes over a certificate that a technician has put into the file, for example with
// kioskctl enrol.
func (i *identity) readFile() {
	cert, err := hubapi.ReadCertificate(i.file)
	if err != nil || cert.Equal(i.credentials.Certificate()) || cert.NotAfter.Before(i.credentials.Certificate().NotAfter) {
		return // kioskd goes on with the certificate that it has
	}
	if err := i.credentials.Replace(cert); err != nil {
		i.log.Error("cannot use the certificate that was put into the file: start kioskd again", "file", i.file, "err", err)
		return
	}
	i.log.Info("certificate replaced", "until", cert.NotAfter)
}

// heardTwin notes that the hub sees a second machine with this kiosk's identity.
func (i *identity) heardTwin(address string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if i.twin != address || now.Sub(i.twinAt) > twinShown {
		i.log.Error("a second machine uses the identity of this kiosk: end the copy, or remove the kiosk at the hub and enrol it with a new key", "address", address)
	}
	i.twin, i.twinAt = address, now
}

// serveIdentity adds GET /v1/identity to the handler of the local socket.
func serveIdentity(local http.Handler, i *identity) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", local)
	mux.HandleFunc("GET /v1/identity", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(i.describe()) // the client has gone
	})
	return mux
}

// describe describes the certificate for technicians.
func (i *identity) describe() devicekey.Status {
	cert := i.credentials.Certificate()
	d := devicekey.Status{
		Kiosk: i.credentials.Identity.Name, Hub: i.hub, Serial: cert.SerialNumber.Text(16),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, RenewAt: renewAt(cert), Mark: i.mark(),
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d.Failure = i.failure
	if i.twin != "" && i.now().Sub(i.twinAt) <= twinShown {
		d.Twin = i.twin
	}
	return d
}

// task describes the renewal. It is late a day after its time.
func (i *identity) task() policy.Task {
	cert := i.credentials.Certificate()
	i.mu.Lock()
	defer i.mu.Unlock()
	return policy.Task{Name: taskCertificate, Done: cert.NotBefore, Late: renewAt(cert).Sub(cert.NotBefore) + 24*time.Hour, Problem: i.failure}
}

// mark returns the mark for technicians on the panel: "x2" if a second
// machine has this identity, "c" and a number if the certificate ends in so many days, or "".
func (i *identity) mark() string {
	left := i.credentials.Certificate().NotAfter.Sub(i.now())
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.twin != "" && i.now().Sub(i.twinAt) <= twinShown:
		return "x2"
	case left < hubapi.EndingSoon:
		return fmt.Sprintf("c%d", max(0, left/(24*time.Hour)))
	}
	return ""
}
