package event

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
)

func wantError(t *testing.T, name string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", name, err, want)
	}
}

func TestSealRefuses(t *testing.T) {
	link := bytes.Repeat([]byte{7}, LinkSize)
	for _, tt := range []struct {
		name    string
		change  func(*Header)
		payload any
		want    string
	}{
		{"type unknown", func(h *Header) { h.Type = "smartkiosk.other.v1" }, testVisit(), `unknown event type "smartkiosk.other.v1"`},
		{"payload of another type", func(*Header) {}, Started{}, "payload of smartkiosk.visit.v1 is a event.Visit, not a event.Started"},
		{"pointer", func(*Header) {}, &Visit{}, "is a event.Visit, not a *event.Visit"},
		{"no id", func(h *Header) { h.ID = "" }, testVisit(), "id is not a UUIDv7"},
		{"UUIDv4", func(h *Header) { h.ID = "3b241101-e2bb-4255-8caf-4136c566a962" }, testVisit(), "id is not a UUIDv7"},
		{"id in capitals", func(h *Header) { h.ID = strings.ToUpper(h.ID) }, testVisit(), "id is not a UUIDv7"},
		{"sequence 0", func(h *Header) { h.Sequence = 0 }, testVisit(), "sequence is 0"},
		{"epoch short", func(h *Header) { h.Epoch, h.Sequence, h.Prev = "0123", 2, link }, testVisit(), "epoch is not 16 hexadecimal digits"},
		{"epoch in capitals", func(h *Header) { h.Epoch, h.Sequence, h.Prev = "ABCDEF0123456789", 2, link }, testVisit(), "epoch is not 16 hexadecimal digits"},
		{"epoch not announced", func(h *Header) { h.Epoch = "0123456789abcdef" }, testVisit(), "does not announce it"},
		{"announcement of no epoch", func(h *Header) { h.Type = TypeEpoch }, Epoch{}, "only the first event"},
		{"announcement later", func(h *Header) { h.Type, h.Epoch, h.Sequence, h.Prev = TypeEpoch, "0123456789abcdef", 2, link }, Epoch{}, "only the first event"},
		{"no time", func(h *Header) { h.Time = time.Time{} }, testVisit(), "time is outside 1970 to 9999"},
		{"no boot id", func(h *Header) { h.BootID = "" }, testVisit(), "bootid is missing"},
		{"negative uptime", func(h *Header) { h.Uptime = -time.Second }, testVisit(), "uptimems is negative"},
		{"first with a link", func(h *Header) { h.Prev = link }, testVisit(), "prev is set at sequence 1"},
		{"second without a link", func(h *Header) { h.Sequence = 2 }, testVisit(), "prev is not a link"},
		{"short link", func(h *Header) { h.Sequence, h.Prev = 2, link[1:] }, testVisit(), "prev is not a link"},
		{"broken token", func(*Header) {}, Visit{Evidence: &Evidence{Token: json.RawMessage("{secret")}}, "payload cannot be encoded as JSON"},
		{"too large", func(*Header) {}, Visit{Reason: kiosk.Reason(strings.Repeat("x", MaxSize))}, "event is over 65536 bytes"},
	} {
		h := testHeader(t, 1, nil)
		tt.change(&h)
		_, _, err := sealer(t).Seal(h, tt.payload)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error quotes the payload: %v", tt.name, err)
		}
	}
}

func TestNewSealerRefuses(t *testing.T) {
	device, hub := deviceKey(t), &jose.JSONWebKey{Key: &hubKey(t).PublicKey}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := jwk(t, "hub")
	for _, tt := range []struct {
		name string
		err  func() error
		want string
	}{
		{"no name", func() error { _, err := NewSealer("", device, hub); return err }, "is not a kiosk's name"},
		{"name with a colon", func() error { _, err := NewSealer("a:b", device, hub); return err }, "is not a kiosk's name"},
		{"P-384 device key", func() error { _, err := NewSealer("k1", p384, hub); return err }, "device key: key is not ECDSA P-256"},
		{"Ed25519 device key", func() error { _, err := NewSealer("k1", ed, hub); return err }, "device key: key is not ECDSA P-256"},
		{"P-384 hub key", func() error { _, err := NewSealer("k1", device, &jose.JSONWebKey{Key: &p384.PublicKey}); return err }, "public key: key is not ECDSA P-256"},
		{"private hub key", func() error { _, err := NewSealer("k1", device, &private); return err }, "public key: key is not ECDSA P-256"},
	} {
		if err := tt.err(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"` + signedType + `"}`))
	for _, tt := range []struct {
		name   string
		change func(*forgery)
		want   error
		says   string
	}{
		{"too large", set("data", strings.Repeat("x", MaxSize)), ErrTooLarge, ""},
		{"not JSON", func(f *forgery) { f.text = func(string) string { return "event" } }, ErrMalformed, "no JSON object"},
		{"cut short", func(f *forgery) { f.text = func(s string) string { return s[:len(s)/2] } }, ErrMalformed, ""},
		{"more after it", func(f *forgery) { f.text = func(s string) string { return s + "{}" } }, ErrMalformed, "more after the JSON object"},
		{"not UTF-8", func(f *forgery) { f.text = func(s string) string { return strings.Replace(s, "jose", "\xff", 1) } }, ErrMalformed, "not UTF-8"},
		{"member twice", func(f *forgery) { f.text = func(s string) string { return `{"id":"x",` + s[1:] } }, ErrMalformed, `"id" occurs twice`},
		{"specversion", set("specversion", "0.3"), ErrMalformed, "specversion"},
		{"datacontenttype", set("datacontenttype", "application/json"), ErrMalformed, "datacontenttype"},
		{"no data", remove("data"), ErrMalformed, "data is not a string"},
		{"no id", remove("id"), ErrMalformed, "id is missing"},
		{"id null", set("id", nil), ErrMalformed, "id is of the wrong type"},
		{"sequence a number", set("sequence", 1), ErrMalformed, "sequence is of the wrong type"},
		{"sequence short", set("sequence", "1"), ErrMalformed, "sequence is not a number of 20 digits"},
		{"epoch empty", set("epoch", ""), ErrMalformed, "epoch is empty"},
		{"epoch a number", set("epoch", 1), ErrMalformed, "epoch is of the wrong type"},
		{"source elsewhere", set("source", "urn:x:k1"), ErrMalformed, "source is not a kiosk"},
		{"time local", set("time", "2026-11-22T09:30:15+01:00"), ErrMalformed, "time is not of the form"},
		{"uptime beyond time", set("uptimems", "9223372036854775807"), ErrMalformed, "uptimems"},
		{"name in capitals", func(f *forgery) {
			f.event = func(m map[string]any) { m["ID"] = m["id"]; delete(m, "id") }
		}, ErrMalformed, "id is missing"},

		{"JWE of four parts", func(f *forgery) { f.jwe = func(s string) string { return s[:strings.LastIndexByte(s, '.')] } }, ErrMalformed, "5 parts"},
		{"JWE with a line break", func(f *forgery) { f.jwe = part(3, func(s string) string { return s[:8] + "\n" + s[8:] }) }, ErrMalformed, "base64url"},
		{"JWE header no JSON", func(f *forgery) { f.jwe = part(0, func(string) string { return "AAAA" }) }, ErrMalformed, "protected header"},
		{"JWE with another key algorithm", func(f *forgery) { f.alg = jose.ECDH_ES_A128KW }, ErrAlgorithm, ""},
		{"JWE with the key agreed directly", func(f *forgery) { f.alg = jose.ECDH_ES }, ErrAlgorithm, ""},
		{"JWE with another cipher", func(f *forgery) { f.enc = jose.A128CBC_HS256 }, ErrAlgorithm, ""},
		{"JWE compressed", func(f *forgery) { f.compress = true }, ErrAlgorithm, ""},
		{"JWE with crit", func(f *forgery) { f.jweHeader["crit"] = []string{"cty"} }, ErrAlgorithm, ""},
		{"JWE without cty", func(f *forgery) { delete(f.jweHeader, "cty") }, ErrAlgorithm, ""},
		{"JWE to another hub", func(f *forgery) { f.hub = stranger }, ErrHubKey, ""},
		{"JWE key changed", func(f *forgery) { f.jwe = part(1, otherBit) }, ErrSeal, ""},
		{"JWE text changed", func(f *forgery) { f.jwe = part(3, otherBit) }, ErrSeal, ""},
		{"JWE tag changed", func(f *forgery) { f.jwe = part(4, otherBit) }, ErrSeal, ""},

		{"not a JWS", func(f *forgery) { f.jws = func(string) string { return "{}" } }, ErrMalformed, "3 parts"},
		{"JWS unsigned", func(f *forgery) { f.jws = part(0, func(string) string { return none }) }, ErrAlgorithm, ""},
		{"JWS with HMAC", func(f *forgery) { f.jwsHeader["alg"] = "HS256" }, ErrAlgorithm, ""},
		{"JWS of another type", func(f *forgery) { f.jwsHeader["typ"] = "JWT" }, ErrAlgorithm, ""},
		{"JWS bringing its key", func(f *forgery) { f.jwsHeader["jwk"] = map[string]string{"kty": "EC"} }, ErrAlgorithm, ""},
		{"JWS detached", func(f *forgery) { f.jwsHeader["b64"] = false; f.jwsHeader["crit"] = []string{"b64"} }, ErrAlgorithm, ""},
		{"JWS by another kiosk", func(f *forgery) { f.device = stranger }, ErrDeviceKey, ""},
		{"JWS by another, claiming the kiosk's kid", func(f *forgery) {
			id, _ := KeyID(&f.device.PublicKey)
			f.device, f.jwsHeader["kid"] = stranger, id
		}, ErrSignature, ""},
		{"JWS text changed", func(f *forgery) { f.jws = part(1, otherBit) }, ErrSignature, ""},
		{"JWS signature cut", func(f *forgery) { f.jws = part(2, func(s string) string { return s[4:] }) }, ErrSignature, ""},
		{"JWS signature with a loose bit", func(f *forgery) { f.jws = part(2, looseBit) }, ErrMalformed, "base64url"},

		{"signed text no object", func(f *forgery) { f.signed = "[]" }, ErrMalformed, "signed text: no JSON object"},
		{"signed member twice", signedAs(`{"id"`, `{"type":"smartkiosk.visit.v1","id"`), ErrMalformed, `"type" occurs twice`},
		{"signed id no UUIDv7", func(f *forgery) { f.signed = strings.Replace(f.signed, "-7", "-4", 1) }, ErrMalformed, "id is not a UUIDv7"},
		{"signed type foreign", signedAs("smartkiosk.visit.v1", "other.visit.v1"), ErrMalformed, "type is not an event type of kiosks"},
		{"signed prev at the first", signedAs(`{"id"`, `{"prev":"AAAA","id"`), ErrMalformed, "prev is set at sequence 1"},
		{"signed prev missing", signedAs("00001\"", "00002\""), ErrMalformed, "prev is not a link"},
		{"signed prev not base64", signedAs(`{"id"`, `{"prev":"?","id"`), ErrMalformed, "prev is not base64url"},
		{"signed negative uptime", signedAs(`"uptimems":"`, `"uptimems":"-`), ErrMalformed, "uptimems is negative"},

		{"other id outside", set("id", "0190c3a0-0000-7000-8000-000000000001"), ErrMismatch, ""},
		{"other source outside", set("source", SourcePrefix+"k2"), ErrMismatch, ""},
		{"other type outside", set("type", TypeStarted), ErrMismatch, ""},
		{"other time outside", set("time", "2026-11-22T09:30:15.251Z"), ErrMismatch, ""},
		{"other sequence outside", set("sequence", "00000000000000000002"), ErrMismatch, ""},
		{"an epoch outside only", set("epoch", "0123456789abcdef"), ErrMismatch, ""},
		{"signed epoch malformed", signedAs(`{"id"`, `{"epoch":"0.1","id"`), ErrMalformed, "epoch is not 16 hexadecimal digits"},
		{"other bootid outside", set("bootid", "x"), ErrMismatch, ""},
		{"other uptime outside", set("uptimems", "1"), ErrMismatch, ""},
		{"other trust in the clock outside", set("clocktrusted", false), ErrMismatch, ""},
	} {
		_, err := NewOpener(jwk(t, "hub")).Open(forge(t, tt.change), &deviceKey(t).PublicKey)
		wantError(t, tt.name, err, tt.want)
		if err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v does not say %q", tt.name, err, tt.says)
		}
	}
}

// TestForgeryOpens checks that the unchanged event of the table above opens, also with
// members that this version does not know.
func TestForgeryOpens(t *testing.T) {
	for name, change := range map[string]func(*forgery){
		"nothing changed":    func(*forgery) {},
		"more outside":       set("traceparent", "x"),
		"more in payload":    signedAs(`"visit"`, `"since":1,"visit"`),
		"a type of tomorrow": func(f *forgery) { signedAs("visit.v1", "visit.v2")(f); set("type", "smartkiosk.visit.v2")(f) },
	} {
		_, err := NewOpener(jwk(t, "hub")).Open(forge(t, change), &deviceKey(t).PublicKey)
		wantError(t, name, err, nil)
	}
}

func TestOpenerWithUnusableKey(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := forge(t, func(*forgery) {})
	for name, key := range map[string]any{"RSA": other, "public": &hubKey(t).PublicKey} {
		_, err := NewOpener(jwk(t, "hub"), jose.JSONWebKey{Key: key}).Open(good, &deviceKey(t).PublicKey)
		wantError(t, name, err, ErrOpenerKeys)
	}
	_, err = NewOpener(jwk(t, "hub")).Open(good)
	wantError(t, "no device key", err, ErrDeviceKey)
}
