package event

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"smartkiosk/kiosk"
)

// jwk reads one of the fixed keys in testdata. They are used in tests only.
func jwk(t testing.TB, name string) jose.JSONWebKey {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".jwk")
	if err != nil {
		t.Fatal(err)
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(b); err != nil {
		t.Fatal(err)
	}
	return k
}

func deviceKey(t testing.TB) *ecdsa.PrivateKey { return jwk(t, "device").Key.(*ecdsa.PrivateKey) }
func hubKey(t testing.TB) *ecdsa.PrivateKey    { return jwk(t, "hub").Key.(*ecdsa.PrivateKey) }

func sealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer("k1", deviceKey(t), &jose.JSONWebKey{Key: &hubKey(t).PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var testTime = time.Date(2026, 11, 22, 9, 30, 15, 250e6, time.UTC)

func testHeader(t testing.TB, sequence uint64, prev []byte) Header {
	t.Helper()
	id, err := NewID(testTime, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Header{
		ID: id, Kiosk: "k1", Sequence: sequence, Type: TypeVisit, Time: testTime,
		BootID: "6f1c7a52-3f65-4f0a-9a5e-1c2d3e4f5a6b", Uptime: 93*24*time.Hour + 7*time.Millisecond, ClockTrusted: true, Prev: prev,
	}
}

func testVisit() Visit {
	return Visit{
		Visit: "0190c3a0-0000-7000-8000-000000000001", Outcome: kiosk.Granted, Authenticated: true, Offline: true,
		Holder:   &kiosk.Holder{ID: "UN:NO-9578-4050-100001", Name: "Åse <Prøve> Ødegård", Domain: "buypass-test"},
		Evidence: &Evidence{Token: json.RawMessage(`{"format":"web-eid:1.0"}`), Nonce: "bm9uY2U=", Origin: "https://hub.example"},
	}
}

func TestSealedEventOpensAsItWas(t *testing.T) {
	s, o := sealer(t), NewOpener(jwk(t, "hub"))
	h := testHeader(t, 2, bytes.Repeat([]byte{7}, LinkSize))
	sealed, link, err := s.Seal(h, testVisit())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := o.Open(sealed, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if opened.attributes() != h.attributes() || !bytes.Equal(opened.Prev, h.Prev) || opened.Uptime != h.Uptime {
		t.Errorf("header %+v, want %+v", opened.Header, h)
	}
	if !bytes.Equal(opened.Link, link) || !bytes.Equal(link, Link(opened.JWS)) {
		t.Errorf("link %x, sealed with %x", opened.Link, link)
	}
	want, err := json.Marshal(testVisit())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(opened.Payload, want) {
		t.Errorf("payload\n%s, want\n%s", opened.Payload, want)
	}
}

// TestSealedEventShowsNobody checks that a sealed event does not contain what a thief of
// the memory card would look for.
func TestSealedEventShowsNobody(t *testing.T) {
	sealed, _, err := sealer(t).Seal(testHeader(t, 1, nil), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"100001", "degård", "granted", "web-eid"} {
		if bytes.Contains(sealed, []byte(secret)) {
			t.Errorf("sealed event shows %q: %s", secret, sealed)
		}
	}
}

// TestPayloadWithoutMembers checks that an event may have an empty payload.
func TestPayloadWithoutMembers(t *testing.T) {
	h := testHeader(t, 5, nil)
	h.Type = TypeLost
	sealed, _, err := sealer(t).Seal(h, Lost{})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
	if err != nil || string(opened.Payload) != "{}" {
		t.Errorf("opened %s, %v", opened.Payload, err)
	}
}

func TestStarted(t *testing.T) {
	h := testHeader(t, 1, nil)
	h.Type = TypeStarted
	sealed, _, err := sealer(t).Seal(h, Started{Version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if string(opened.Payload) != `{"version":"v1.2.3"}` || opened.Prev != nil {
		t.Errorf("opened %s after %x", opened.Payload, opened.Prev)
	}
}

func TestKeysMayChangeWhileEventsWait(t *testing.T) {
	newHub, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	newDevice, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := NewSealer("k1", newDevice, &jose.JSONWebKey{Key: &newHub.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	o := NewOpener(jose.JSONWebKey{Key: newHub}, jwk(t, "hub"))
	for _, s := range []*Sealer{sealer(t), newer} {
		sealed, _, err := s.Seal(testHeader(t, 1, nil), testVisit())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Open(sealed, &newDevice.PublicKey, &deviceKey(t).PublicKey); err != nil {
			t.Error(err)
		}
	}
}

func TestNewID(t *testing.T) {
	id, err := NewID(testTime, strings.NewReader("0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	sec, nsec := u.Time().UnixTime()
	if u.Version() != 7 || u.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(testTime) {
		t.Errorf("%s is version %d of %v", id, u.Version(), time.Unix(sec, nsec).UTC())
	}
	// The example of RFC 9562 appendix A.6. Version and variant replace six of the
	// random bits, and no others.
	for random, want := range map[string]string{
		"\x0C\xC3\x18\xC4\xDC\x0C\x0C\x07\x39\x8F": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
		"\xFC\xC3\xD8\xC4\xDC\x0C\x0C\x07\x39\x8F": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
		strings.Repeat("\xFF", 10):                 "017f22e2-79b0-7fff-bfff-ffffffffffff",
		strings.Repeat("\x00", 10):                 "017f22e2-79b0-7000-8000-000000000000",
	} {
		at := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC)
		if id, err := NewID(at, strings.NewReader(random)); err != nil || id != want {
			t.Errorf("of random %x: %s, %v, want %s", random, id, err, want)
		}
	}
	if _, err := NewID(testTime, strings.NewReader("short")); err == nil {
		t.Error("an id of too little randomness")
	}
}

// TestGolden opens an event that was sealed with the first version of the format. Events
// that are stored on kiosks must stay readable, and consumers must get the same content.
func TestGolden(t *testing.T) {
	sealed, err := os.ReadFile("testdata/visit.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/visit.plain.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Plain()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.TrimSpace(want)) {
		t.Errorf("plain\n%s, want\n%s", got, want)
	}
}

// TestForeign opens an event that another implementation of JOSE made (Python, jwcrypto
// 1.1). That implementation has opened the event of TestGolden.
func TestForeign(t *testing.T) {
	sealed, err := os.ReadFile("testdata/visit.jwcrypto.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var v Visit
	if err := json.Unmarshal(e.Payload, &v); err != nil {
		t.Fatal(err)
	}
	if e.Kiosk != "k2" || e.Sequence != 1 || v.Outcome != kiosk.Denied || v.Reason != kiosk.Expired {
		t.Errorf("opened %+v with %+v", e.Header, v)
	}
}

// TestKeyID compares with thumbprints that another program computed (RFC 7638 §3.1).
func TestKeyID(t *testing.T) {
	for key, want := range map[*ecdsa.PrivateKey]string{
		deviceKey(t): "VPoqNTRNrkW4qrqvjVOknX60uqF4xocwsXTxaj2Iqy4",
		hubKey(t):    "EC9fi-F2WO7t1I0ex7JS4Tm2jzad4E2f4GgS4b6_HQQ",
	} {
		if got, err := KeyID(&key.PublicKey); err != nil || got != want {
			t.Errorf("key id %s, want %s (error %v)", got, want, err)
		}
	}
}

// An event whose payload is no JSON has no plain form.
func TestPlainRefuses(t *testing.T) {
	for payload, right := range map[string]bool{`{"a":1}`: true, "{\n\"a\": 1\n}": true, "{\n": false} {
		b, err := Opened{Payload: json.RawMessage(payload)}.Plain()
		if right != (err == nil) || right && !bytes.HasSuffix(b, []byte(`"data":{"a":1}}`)) {
			t.Errorf("%q becomes %s, %v", payload, b, err)
		}
	}
}
