package hub

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

func init() {
	openapi3filter.RegisterBodyDecoder(hubapi.MediaEvents, openapi3filter.JSONBodyDecoder)
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		text, err := io.ReadAll(body)
		return string(text), err
	}
	openapi3filter.RegisterBodyDecoder(hubapi.MediaOpenAPI, text)
	openapi3filter.RegisterBodyDecoder(hubpolicy.MediaType, text)
	openapi3filter.RegisterBodyDecoder(est.MediaRequest, text)
	openapi3filter.RegisterBodyDecoder("application/pkcs7-mime", text)
	openapi3filter.RegisterBodyDecoder(hubapi.MediaTar, text)
	openapi3filter.RegisterBodyDecoder("text/html", text)
	openapi3filter.RegisterBodyDecoder("text/css", text)
}

// againstDocument checks every answer, and every request that succeeded, against the
// OpenAPI document.
func againstDocument(t testing.TB, router routers.Router, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, readErr := io.ReadAll(r.Body)
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), failing{readErr}), r.Body}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if err := conforms(router, r, body, answer); err != nil {
			t.Errorf("%s %s: status %d is not as the document has it: %v", r.Method, r.URL.Path, answer.Code, err)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
}

// failing is the end of a body: it returns the error with which the original ended, or
// io.EOF.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

func document(t testing.TB) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(hubapi.Document)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // the hubs in the tests listen on other ports
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

func conforms(router routers.Router, r *http.Request, body []byte, answer *httptest.ResponseRecorder) error {
	route, parameters, err := router.FindRoute(r)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		if answer.Code/100 == 2 {
			return errors.New("it does not know this operation")
		}
		return nil
	}
	if err != nil {
		return err
	}
	request := r.Clone(r.Context())
	if r.Header.Get("Content-Encoding") == "gzip" && answer.Code/100 == 2 {
		packed, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(packed); err != nil {
			return err
		}
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	in := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: authentic, IncludeResponseStatus: true},
	}
	if answer.Code/100 == 2 {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.Code, Header: answer.Header(), Options: in.Options,
		Body: io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
	})
}

// authentic reports whether the request's certificate meets a security scheme of the
// document.
func authentic(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	r := in.RequestValidationInput.Request
	switch in.SecuritySchemeName {
	case "any":
		return nil
	case "code":
		if _, _, ok := r.BasicAuth(); !ok {
			return errors.New("no code")
		}
		return nil
	}
	id, err := hubapi.IdentityOf(r.TLS.PeerCertificates[0])
	if err != nil || string(id.Role) != in.SecuritySchemeName {
		return errors.New("not a " + in.SecuritySchemeName)
	}
	return nil
}

// raw sends a request without the client. header alternates names and values.
func (p *party) raw(method, path, media, body string, header ...string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{TLSClientConfig: p.tls}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp
}
