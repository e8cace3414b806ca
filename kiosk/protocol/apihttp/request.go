package apihttp

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/klauspost/compress/gzip"

	"smartkiosk/kiosk/protocol/hubapi"
)

// Certificate returns the client's certificate, which was verified in the TLS handshake.
func Certificate(r *http.Request) (*x509.Certificate, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil, Forbidden("a client certificate is required")
	}
	return r.TLS.PeerCertificates[0], nil
}

// Identify returns the client that a certificate names. The client must have one of the
// roles.
func Identify(cert *x509.Certificate, roles ...hubapi.Role) (hubapi.Identity, error) {
	id, err := hubapi.IdentityOf(cert)
	if err != nil {
		return id, Forbidden(err.Error())
	}
	if !slices.Contains(roles, id.Role) {
		return id, Forbidden("not for a " + string(id.Role))
	}
	return id, nil
}

// Number reads a query parameter between least and most. If the parameter is missing, it
// returns otherwise.
func Number(query url.Values, name string, least, most, otherwise int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(query.Get(name), 10, 16)
	if err != nil || int(n) < least || int(n) > most {
		return 0, Malformed(fmt.Sprintf("%s must be a number from %d to %d", name, least, most))
	}
	return int(n), nil
}

// Body checks the media type of a request and returns its body, decompressed. A read beyond
// max bytes fails with *http.MaxBytesError.
func Body(r *http.Request, media string, max int64) (io.Reader, error) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != media {
		return nil, mediaType("the body must be " + media)
	}
	var text io.Reader = r.Body
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		packed, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, Malformed("the body is not packed by gzip")
		}
		text = packed
	default:
		return nil, mediaType("the body may be packed by gzip and by nothing else")
	}
	return http.MaxBytesReader(nil, io.NopCloser(text), max), nil
}

// ReadBody reads the whole body of a request; see Body.
func ReadBody(r *http.Request, media string, max int64) ([]byte, error) {
	text, err := Body(r, media, max)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(text)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, TooLarge("the body is too large")
	}
	if err != nil {
		return nil, Malformed("the body cannot be read to its end")
	}
	return body, nil
}

// ReadJSON reads the body of a request, which must be a JSON object with exactly these
// members. encoding/json alone would accept members that are missing, null or differ in
// case.
func ReadJSON(r *http.Request, members map[string]any) error {
	body, err := ReadBody(r, "application/json", hubapi.MaxRequestBody)
	if err != nil {
		return err
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(body, &found); err != nil {
		return Malformed("the body is no JSON object")
	}
	for name, into := range members {
		value, ok := found[name]
		if !ok {
			return Malformed(name + " is missing")
		}
		if _, text := into.(*string); json.Unmarshal(value, into) != nil || text && value[0] != '"' {
			return Malformed(name + " is of the wrong type")
		}
	}
	if len(found) > len(members) {
		return Malformed("the body has members that the API does not know")
	}
	return nil
}
