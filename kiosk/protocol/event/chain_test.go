package event

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// chain seals n events and replaces some by lost ones, as Salvage of the outbox does: the
// event after a lost one links to the event that was lost.
func chain(t *testing.T, n uint64, lost ...uint64) [][]byte {
	t.Helper()
	s := sealer(t)
	var events [][]byte
	var link []byte
	for sequence := uint64(1); sequence <= n; sequence++ {
		sealed, next, err := s.Seal(testHeader(t, sequence, link), testVisit())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(lost, sequence) {
			h := testHeader(t, sequence, nil)
			h.Type = TypeLost
			if sealed, _, err = s.Seal(h, Lost{}); err != nil {
				t.Fatal(err)
			}
		}
		events, link = append(events, sealed), next
	}
	return events
}

// epochAfter seals an epoch of three events that follows an event.
func epochAfter(t *testing.T, before []byte) (events [][]byte) {
	t.Helper()
	opened, err := NewOpener(jwk(t, "hub")).Open(before, &deviceKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	link := opened.Link
	for sequence := uint64(1); sequence <= 3; sequence++ {
		h, payload := testHeader(t, sequence, link), any(testVisit())
		if h.Epoch = "00000000000000e1"; sequence == 1 {
			h.Type, payload = TypeEpoch, Epoch{Why: EpochConflict, AfterSequence: opened.Sequence}
		}
		sealed, next, err := sealer(t).Seal(h, payload)
		if err != nil {
			t.Fatal(err)
		}
		events, link = append(events, sealed), next
	}
	return events
}

// TestEpochInPlain checks that the epoch is signed, stays readable on the kiosk and is in the
// feed, where the hub marks events that have another one's number.
func TestEpochInPlain(t *testing.T) {
	events := epochAfter(t, chain(t, 3)[2])
	for i, sealed := range events {
		if h, err := Peek(sealed); err != nil || h.Epoch != "00000000000000e1" {
			t.Errorf("event %d has epoch %q, %v", i, h.Epoch, err)
		}
		e, err := NewOpener(jwk(t, "hub")).Open(sealed, &deviceKey(t).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		for _, e.Conflict = range []bool{false, true} {
			text, err := e.Plain()
			if err != nil || !bytes.Contains(text, []byte(`"epoch":"00000000000000e1","sequence":"`)) || bytes.Contains(text, []byte(`"conflict":true`)) != e.Conflict {
				t.Errorf("event %d is %s, %v", i, text, err)
			}
		}
	}
	id, err := NewEpoch(bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 0xFF}))
	if err != nil || id != "00010203040506ff" {
		t.Errorf("a new epoch is %q, %v", id, err)
	}
	if _, err := NewEpoch(bytes.NewReader(nil)); err == nil {
		t.Error("an epoch without random")
	}
}

func TestFollows(t *testing.T) {
	s, o := sealer(t), NewOpener(jwk(t, "hub"))
	var link []byte
	var chain []Opened
	for n := uint64(1); n <= 3; n++ {
		sealed, next, err := s.Seal(testHeader(t, n, link), testVisit())
		if err != nil {
			t.Fatal(err)
		}
		e, err := o.Open(sealed, &deviceKey(t).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Follows(n-1, link); err != nil {
			t.Error(err)
		}
		link, chain = next, append(chain, e)
	}
	for name, tt := range map[string]struct {
		after, event Opened
		want         error
	}{
		"missing":  {chain[0], chain[2], ErrSequence},
		"repeated": {chain[1], chain[1], ErrSequence},
		"other": {
			Opened{Header: Header{Sequence: 1}, Link: bytes.Repeat([]byte{1}, LinkSize)}, chain[1], ErrLink,
		},
	} {
		wantError(t, name, tt.event.Follows(tt.after.Sequence, tt.after.Link), tt.want)
	}
}

func TestVerify(t *testing.T) {
	events, others := chain(t, 6), chain(t, 6)
	epoch := epochAfter(t, events[2])
	altered := bytes.Replace(events[2], []byte(`"clocktrusted":true`), []byte(`"clocktrusted":false`), 1)
	far := bytes.Replace(events[2], []byte(`"sequence":"0`), []byte(`"sequence":"1`), 1)
	pick := func(places ...int) (list [][]byte) {
		for _, p := range places {
			list = append(list, events[p])
		}
		return list
	}
	for _, tt := range []struct {
		name string
		list [][]byte
		want string
	}{
		{"none", nil, ""},
		{"all", events, ""},
		{"a piece", events[2:5], ""},
		{"altered", slices.Concat(events[:2], [][]byte{altered}, events[3:]), "[2: 3-3 mismatch]"},
		{"altered at the begin", slices.Concat([][]byte{altered}, events[3:]), "[0: 3-3 mismatch]"},
		{"claims to be far away", slices.Concat(events[:2], [][]byte{far}, events[3:]), "[2: 10000000000000000003-10000000000000000003 mismatch][3: 3-3 missing]"},
		{"garbage", slices.Concat(events[:2], [][]byte{[]byte("x")}, events[2:]), "[2: 0-0 malformed]"},
		{"missing", pick(0, 1, 4, 5), "[2: 3-4 missing]"},
		{"repeated", pick(0, 1, 1, 2), "[2: 2-2 repeated]"},
		{"reordered", pick(0, 2, 1, 3), "[2: 2-2 reordered]"},
		{"replaced by another chain's", slices.Concat(events[:2], others[2:3], events[3:]), "[2: 3-3 link][3: 4-4 link]"},
		{"lost ones", chain(t, 6, 1, 3, 4, 6), ""},
		{"an epoch", slices.Concat(events[:3], epoch), ""},
		{"missing in both epochs", slices.Concat(events[:1], events[2:3], epoch[:1], epoch[2:]), "[1: 2-2 missing][3: 2-2 missing]"},
		{"repeated in an epoch", slices.Concat(events[:2], epoch[:1], epoch[:1]), "[3: 1-1 repeated]"},
	} {
		var got string
		for _, f := range NewOpener(jwk(t, "hub")).Verify(tt.list, &deviceKey(t).PublicKey) {
			name := fmt.Sprint(f.Err)
			for text, err := range map[string]error{
				"mismatch": ErrMismatch, "malformed": ErrMalformed, "missing": ErrMissing,
				"repeated": ErrRepeated, "reordered": ErrReordered, "link": ErrLink,
			} {
				if errors.Is(f.Err, err) {
					name = text
				}
			}
			got += fmt.Sprintf("[%d: %d-%d %s]", f.Place, f.Sequence, f.Through, name)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestParkedKeepsTheChain checks that the event after a stand-in must have the link of the
// event that the stand-in replaces. Both Open and a consumer that has the previous event
// from the feed can check that.
func TestParkedKeepsTheChain(t *testing.T) {
	s, o := sealer(t), NewOpener(jwk(t, "hub"))
	_, first, err := s.Seal(testHeader(t, 1, nil), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	_, refused, err := s.Seal(testHeader(t, 2, first), testVisit())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		prev []byte
		link string
		want error // of Follows for the next event
		open error
	}{
		"between both":  {first, base64.RawURLEncoding.EncodeToString(refused), nil, nil},
		"after nothing": {nil, base64.RawURLEncoding.EncodeToString(refused), nil, nil},
		"another link":  {first, base64.RawURLEncoding.EncodeToString(first), ErrLink, nil},
		"no link":       {first, "", nil, ErrMalformed},
	} {
		h := testHeader(t, 2, tt.prev)
		h.Type = TypeParked
		sealed, _, err := s.Seal(h, Parked{Problem: "bad seal", Link: tt.link})
		if err != nil {
			t.Fatal(err)
		}
		standIn, err := o.Open(sealed, &deviceKey(t).PublicKey)
		if !errors.Is(err, tt.open) {
			t.Errorf("%s: %v, want %v", name, err, tt.open)
		}
		if err != nil {
			continue
		}
		if err := standIn.Follows(1, first); err != nil {
			t.Errorf("%s: the stand-in is not in its place: %v", name, err)
		}
		sealed, _, err = s.Seal(testHeader(t, 3, refused), testVisit())
		if err != nil {
			t.Fatal(err)
		}
		third, err := o.Open(sealed, &deviceKey(t).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		inFeed, err := LinkAfter(standIn.Type, Link(standIn.JWS), standIn.Payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range [][]byte{standIn.Link, inFeed} {
			if err := third.Follows(2, link); !errors.Is(err, tt.want) {
				t.Errorf("%s: the event after it: %v, want %v", name, err, tt.want)
			}
		}
	}
}
