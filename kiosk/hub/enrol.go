package hub

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"smartkiosk/kiosk/protocol/apihttp"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Enrolment (package est). Two of its operations are for clients that have no certificate
// yet. They are the only ones that a connection without a client certificate reaches.

// attachCodes opens the one-time codes.
func (h *Hub) attachCodes(ctx context.Context) (err error) {
	if h.codes, err = openCodes(ctx, h.js, h.config.Sign, h.now); err != nil {
		return err
	}
	return h.codes.load(ctx)
}

// watchCodes follows the codes until ctx ends.
func (h *Hub) watchCodes(ctx context.Context) { h.keepFollowing(ctx, "codes", h.codes.follow) }

// withoutCertificate answers clients that have no certificate.
func (h *Hub) withoutCertificate() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+est.PathCACerts, h.anyone(h.caCerts))
	mux.Handle("POST "+est.PathSimpleEnroll, h.anyone(h.simpleEnroll))
	mux.Handle("/", h.anyone(func(http.ResponseWriter, *http.Request, caller) error {
		return apihttp.Forbidden("a client certificate is required")
	}))
	return mux
}

// anyone runs an operation for a client without a certificate. All such clients share the
// limits of one identity. Each connection carries one request.
func (h *Hub) anyone(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = withRequestID(w, r)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Connection", "close")
		r.Body = http.MaxBytesReader(w, r.Body, est.MaxBody)
		if err := h.withinLimits(op, w, r, caller{}); err != nil {
			h.refuse(w, r, caller{}, err)
		}
	})
}

// caCerts handles GET /.well-known/est/cacerts.
func (h *Hub) caCerts(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return writeCertificates(w, h.config.authority.cert)
}

// simpleEnroll handles POST /.well-known/est/simpleenroll.
func (h *Hub) simpleEnroll(w http.ResponseWriter, r *http.Request, _ caller) error {
	kiosk, password, ok := r.BasicAuth()
	secret := est.Secret(password)
	defer secret.Wipe()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="smartkiosk"`)
		return codeProblem(http.StatusUnauthorized, errors.New("the kiosk's name and the secret of a code are required"))
	}
	id := hubapi.Identity{Role: hubapi.RoleKiosk, Name: kiosk}
	if !hubapi.ValidName(kiosk) {
		return h.codeRefused(w, hubapi.Identity{}, errWrongCode)
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	// A mistake in the request does not use up the code. Only somebody who knows the code
	// learns what the mistake is.
	key, mistake := readEnrolment(r, id)
	if mistake != nil {
		if err := h.codes.redeem(ctx, kiosk, secret, ""); err != nil {
			return h.codeRefused(w, id, err)
		}
		return mistake
	}
	if err := h.codes.redeem(ctx, kiosk, secret, keyDigest(key)); err != nil {
		return h.codeRefused(w, id, err)
	}
	return h.certify(ctx, w, id, key, fromCode)
}

// codeRefused answers a refused code, and logs it once a minute.
func (h *Hub) codeRefused(w http.ResponseWriter, id hubapi.Identity, err error) error {
	switch err {
	case errWrongCode:
		h.abuse.note(wrongCode, id, "")
		w.Header().Set("WWW-Authenticate", `Basic realm="smartkiosk"`)
		return codeProblem(http.StatusUnauthorized, err)
	case errCodeLocked, errCodeExpired, errCodeUsed:
		h.abuse.note(wrongCode, id, err.Error())
		return codeProblem(http.StatusForbidden, err)
	}
	return err
}

func codeProblem(status int, err error) *hubapi.Problem {
	return apihttp.Problem(status, hubapi.KindCode, "code refused", err.Error())
}

// simpleReenroll handles POST /.well-known/est/simplereenroll.
func (h *Hub) simpleReenroll(w http.ResponseWriter, r *http.Request, c caller) error {
	key, err := readEnrolment(r, c.Identity)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	return h.certify(ctx, w, c.Identity, key, fromRenewal)
}

// readEnrolment reads the certificate request in a body and returns its public key
// (SubjectPublicKeyInfo).
func readEnrolment(r *http.Request, id hubapi.Identity) ([]byte, error) {
	body, err := apihttp.ReadBody(r, est.MediaRequest, est.MaxBody)
	if err != nil {
		return nil, err
	}
	der, err := est.Decode(body)
	if err != nil {
		return nil, apihttp.Malformed(err.Error())
	}
	key, err := est.ReadRequest(der, id)
	if err != nil {
		return nil, apihttp.Malformed(err.Error())
	}
	return x509.MarshalPKIXPublicKey(key)
}

// certify issues a certificate for a public key, registers it and answers with it.
func (h *Hub) certify(ctx context.Context, w http.ResponseWriter, id hubapi.Identity, spki []byte, from source) error {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return err
	}
	cert, err := h.config.authority.client(key, h.now(), h.config.Lifetime, id)
	if err != nil {
		return err
	}
	err = h.identities.registry.register(ctx, id, cert, from, from == fromCode)
	if errors.Is(err, errBarred) || errors.Is(err, errRemoved) {
		return apihttp.Forbidden(err.Error())
	}
	if err != nil {
		return err
	}
	h.log.Info("certificate issued", "request", requestID(ctx), "caller", id, "reason", from, "until", cert.NotAfter)
	return writeCertificates(w, cert)
}

func writeCertificates(w http.ResponseWriter, certs ...*x509.Certificate) error {
	der, err := est.CertsOnly(certs...)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Transfer-Encoding", "base64")
	apihttp.Write(w, http.StatusOK, est.MediaCertificates, est.Encode(der))
	return nil
}

// setup handles GET /v1/setup: the files of a kiosk's bundle, except its certificate, as a
// tar archive.
func (h *Hub) setup(w http.ResponseWriter, _ *http.Request, c caller) error {
	temp, err := os.MkdirTemp("", "smartkiosk-setup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	s, err := readSettings(h.config.Folder)
	if err == nil {
		err = writeKioskFiles(h.config.Folder, temp, c.Name, s)
	}
	if err == nil {
		err = writeCertificate(filepath.Join(temp, bundleCAFile), h.config.authority.cert.Raw)
	}
	if err != nil {
		return fmt.Errorf("cannot make the files of kiosk %s: %w", c.Name, err)
	}
	var body bytes.Buffer
	archive := tar.NewWriter(&body)
	if err := errors.Join(archive.AddFS(os.DirFS(temp)), archive.Close()); err != nil {
		return err
	}
	apihttp.Write(w, http.StatusOK, hubapi.MediaTar, body.Bytes())
	return nil
}
