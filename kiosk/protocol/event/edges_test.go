package event

import (
	"bytes"
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
