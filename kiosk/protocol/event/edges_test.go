package event

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// TestOnlyStandInsMayNotKnowTheLink checks that an event without a link follows
// another only if it takes the place of a lost or refused one, and that such an event
// must link correctly if it does link.
func TestOnlyStandInsMayNotKnowTheLink(t *testing.T) {
	link, other := bytes.Repeat([]byte{1}, LinkSize), bytes.Repeat([]byte{2}, LinkSize)
	for _, tt := range []struct {
		kind       string
		prev, link []byte
		want       error
	}{
		{TypeVisit, link, link, nil}, {TypeVisit, nil, link, ErrLink}, {TypeVisit, other, link, ErrLink}, {TypeVisit, other, nil, nil},
		{TypeLost, link, link, nil}, {TypeLost, nil, link, nil}, {TypeLost, other, link, ErrLink},
		{TypeParked, link, link, nil}, {TypeParked, nil, link, nil}, {TypeParked, other, link, ErrLink},
	} {
		e := Opened{Header: Header{Type: tt.kind, Sequence: 2, Prev: tt.prev}}
		if err := e.Follows(1, tt.link); !errors.Is(err, tt.want) {
			t.Errorf("%s with prev %x after %x: error %v, want %v", tt.kind, tt.prev, tt.link, err, tt.want)
		}
	}
	first := Opened{Header: Header{Type: TypeVisit, Sequence: 1, Prev: other}}
	if err := first.Follows(0, nil); !errors.Is(err, ErrLink) {
		t.Errorf("the first event has a link: error %v", err)
	}
}

// TestSizeIsInclusive checks events of exactly MaxSize bytes and of one more.
func TestSizeIsInclusive(t *testing.T) {
	sealed, _, err := sealer(t).Seal(testHeader(t, 1, nil), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	for more, want := range map[int]error{0: nil, 1: ErrTooLarge} {
		text := append(bytes.Clone(sealed), strings.Repeat(" ", MaxSize-len(sealed)+more)...)
		_, err := Peek(text)
		wantError(t, "peek", err, want)
		_, err = NewOpener(jwk(t, "hub")).Open(text, &deviceKey(t).PublicKey)
		wantError(t, "open", err, want)
	}
}

// TestReviewedVisits checks which visits a hub reviews.
func TestReviewedVisits(t *testing.T) {
	for _, tt := range []struct {
		visit Visit
		want  bool
	}{
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Granted}, true},
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Denied}, true},
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Failed}, false},
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Cancelled}, false},
		{Visit{Offline: false, Evidence: &Evidence{}, Outcome: kiosk.Denied}, false},
		{Visit{Offline: true, Outcome: kiosk.Denied}, false},
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Denied, Reason: kiosk.OfflineNever}, false},
		{Visit{Offline: true, Evidence: &Evidence{}, Outcome: kiosk.Denied, Reason: kiosk.Revoked}, true},
	} {
		if got := Reviewed(tt.visit); got != tt.want {
			t.Errorf("%+v: %v", tt.visit, got)
		}
	}
}

// Members of a signed text that are missing or of another type or form are named.
func TestReadHeaderRefuses(t *testing.T) {
	sound, err := signedText(testHeader(t, 2, bytes.Repeat([]byte{7}, LinkSize)), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{`"prev":"`, `"prev":null,"x":"`, "prev is of the wrong type"},
		{`"prev":"`, `"prev":"!`, "prev is not base64url"},
		{`"source":"urn:smartkiosk:kiosk:`, `"source":"urn:smartkiosk:hub:`, "source is not a kiosk"},
		{`"bootid":"`, `"bootid":7,"x":"`, "bootid is of the wrong type"},
		{`"uptimems":"`, `"uptimems":"9999999999999999`, "uptimems is not a number"},
		{`"sequence":"0`, `"sequence":"`, "sequence is not a number of 20 digits"},
		{`"time":"2`, `"time":"x`, "time is not of the form"},
	} {
		text := bytes.Replace(sound, []byte(tt.old), []byte(tt.new), 1)
		o, err := readObject(text)
		if err != nil || bytes.Equal(text, sound) {
			t.Fatalf("%s: %s, %v", tt.new, text, err)
		}
		if _, err := readHeader(o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}

func TestLinkAfter(t *testing.T) {
	link := bytes.Repeat([]byte{7}, LinkSize)
	text := base64.RawURLEncoding.EncodeToString(link)
	for _, tt := range []struct {
		kind, payload string
		want          []byte
		right         bool
	}{
		{TypeVisit, "{}", Link("a.b.c"), true}, {TypeLost, "{}", nil, true}, {TypeParked, `{"link":"` + text + `"}`, link, true},
		{TypeParked, `{"link":7}`, nil, false}, {TypeParked, `{}`, nil, false}, {TypeParked, `{"link":"` + text[1:] + `"}`, nil, false}, {TypeParked, `{"link":"!"}`, nil, false},
	} {
		got, err := LinkAfter(tt.kind, Link("a.b.c"), []byte(tt.payload))
		if (err == nil) != tt.right || !bytes.Equal(got, tt.want) {
			t.Errorf("%s %s: %x, %v", tt.kind, tt.payload, got, err)
		}
	}
}

// Without these events the hub still knows what happened to people.
func TestInformational(t *testing.T) {
	want := map[string]bool{TypeStarted: true, TypeClock: true, TypeOutbox: false, TypeVisit: false, TypeEpoch: false, TypeParked: false, "smartkiosk.other.v1": false}
	for kind, want := range want {
		if Informational(kind) != want {
			t.Errorf("%s is informational: %v", kind, !want)
		}
	}
}

// Peek refuses what is no event, and says so.
func TestPeekRefuses(t *testing.T) {
	for _, text := range []string{"", "x", "[]", "{}", `{"id":"a","id":"b"}`, `{"id":7}`} {
		if h, err := Peek([]byte(text)); !errors.Is(err, ErrMalformed) || h.ID != "" {
			t.Errorf("%q: %+v, %v", text, h, err)
		}
	}
	if _, err := Peek(make([]byte, MaxSize+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}
