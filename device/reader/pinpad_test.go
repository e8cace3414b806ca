package reader

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The answer of a reader with keys (PC/SC part 10): verify, modify, properties.
const readerWithKeys = "06 04 42 33 00 06  07 04 42 33 00 07  12 04 42 33 00 12"

func TestFeatures(t *testing.T) {
	if got := features(unhex(t, readerWithKeys)); got[verifyPINDirect] != 0x42330006 || len(got) != 3 {
		t.Errorf("%X", got)
	}
	for name, in := range map[string]string{
		"none": "", "cut": "06 04 42 33", "of two bytes": "06 02 42 33 00 06", "good, then cut": "06 04 42330006 07",
	} {
		if got := features(unhex(t, in)); len(got) != 0 {
			t.Errorf("%s: %X", name, got)
		}
	}
}

var smartkortEntry = slot.PINEntry{Command: []byte("\xA0\x20\x00\x82\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), Min: 4, Max: 8}

// TestPINVerify compares the structure byte by byte.
func TestPINVerify(t *testing.T) {
	for _, c := range []struct {
		name string
		e    slot.PINEntry
		want string
	}{
		{"ASCII, 8 bytes", smartkortEntry,
			"1E 1E 82 08 00 08 04 02 00 14 04 00 000000 0D000000  A0 20 00 82 08 FFFFFFFFFFFFFFFF"},
		{"BCD, 3 bytes", slot.PINEntry{Command: unhex(t, "0020008103 FFFFFF"), BCD: true, Min: 6, Max: 6},
			"1E 1E 81 03 00 06 06 02 00 14 04 00 000000 08000000  00 20 00 81 03 FFFFFF"},
		{"16 bytes, more than there are bits for", slot.PINEntry{Command: unhex(t, "0020000110"+strings.Repeat("00", 16)), Min: 4, Max: 16},
			"1E 1E 82 00 00 10 04 02 00 14 04 00 000000 15000000  00 20 00 01 10" + strings.Repeat("00", 16)},
	} {
		got, err := pinVerify(c.e)
		if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %X, %v", c.name, got, err)
		}
	}
	for name, e := range map[string]slot.PINEntry{
		"no data":              {Command: unhex(t, "00200082"), Max: 4},
		"Lc that lies":         {Command: unhex(t, "0020008208 FFFF"), Max: 2},
		"more digits than fit": {Command: unhex(t, "0020008202 FFFF"), Max: 4},
		"most below least":     {Command: unhex(t, "0020008202 FFFF"), Min: 2, Max: 1},
	} {
		if got, err := pinVerify(e); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %X, %v", name, got, err)
		}
	}
}

// padReader returns a conn to a reader with keys and a given answer.
func padReader(t *testing.T, answer string, err error) (*conn, *[][]byte) {
	var asked [][]byte
	c := &conn{verifyCode: 0x42330006, left: func() bool { return false }, padRefused: func(error) {}}
	c.control = func(code uint32, in []byte) ([]byte, error) {
		if code != 0x42330006 {
			t.Errorf("control code %X", code)
		}
		asked = append(asked, bytes.Clone(in))
		return unhex(t, answer), err
	}
	return c, &asked
}

// TestVerifyOnPad distinguishes what the holder did from the card's answers, and asks
// only once.
func TestVerifyOnPad(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         error
	}{
		{"right", "9000", nil}, {"wrong: the card's answer", "63C2", nil},
		{"cancelled at once", "6401", slot.ErrPadCancelled},
	} {
		conn, asked := padReader(t, c.answer, nil)
		got, err := conn.VerifyOnPad(t.Context(), smartkortEntry)
		if !errors.Is(err, c.want) || c.want == nil && !bytes.Equal(got, unhex(t, c.answer)) || len(*asked) != 1 {
			t.Errorf("%s: %X, %v, asked %d times", c.name, got, err, len(*asked))
		}
	}
	conn, _ := padReader(t, "9000", nil)
	if _, err := conn.VerifyOnPad(t.Context(), slot.PINEntry{}); !errors.Is(err, apdu.ErrMalformed) {
		t.Errorf("no command: %v", err)
	}
	conn.verifyCode = 0
	if _, err := conn.VerifyOnPad(t.Context(), smartkortEntry); err == nil || conn.HasPINPad() {
		t.Errorf("no keys: %v", err)
	}
}

// TestPadThatDoesNotAsk: a reader that refuses the PIN's form, or fails before
// anybody can have typed, is distinguished from a holder who types nothing or the
// wrong number of digits. It is not asked again.
func TestPadThatDoesNotAsk(t *testing.T) {
	transport := errors.New("transaction failed")
	for _, c := range []struct {
		name, answer string
		err          error
		after        time.Duration
		want         error
	}{
		{"nothing typed", "6400", nil, 30 * time.Second, slot.ErrPadTimeout},
		{"too short", "6403", nil, 3 * time.Second, slot.ErrPadLength},
		{"no answer after a PIN was typed", "", transport, 5 * time.Second, transport},
		{"no answer, at once", "", transport, 20 * time.Millisecond, slot.ErrPadRefused},
		{"a timeout at once", "6400", nil, 900 * time.Millisecond, slot.ErrPadRefused},
		{"a wrong length at once", "6403", nil, 0, slot.ErrPadRefused},
		{"structure refused", "6B80", nil, 2 * time.Second, slot.ErrPadRefused},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, asked := padReader(t, c.answer, c.err)
			answer, refused := conn.control, false
			conn.control = func(code uint32, in []byte) ([]byte, error) {
				time.Sleep(c.after)
				return answer(code, in)
			}
			conn.padRefused = func(error) { refused = true }
			_, err := conn.VerifyOnPad(t.Context(), smartkortEntry)
			if !errors.Is(err, c.want) || len(*asked) != 1 {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if gone := c.want == slot.ErrPadRefused; refused != gone || conn.HasPINPad() == gone {
				t.Errorf("%s: refused %v, pad %v", c.name, refused, conn.HasPINPad())
			}
		})
	}
}

// TestPadIsNotUsedAgain: after a refusal the reader's pad is not used for later
// cards; with IgnorePINPad it is never used.
func TestPadIsNotUsedAgain(t *testing.T) {
	pad := func(r *Reader, name string) *conn {
		c := &conn{reader: name, control: func(uint32, []byte) ([]byte, error) { return unhex(t, "0604 42330006"), nil }}
		r.preparePad(c)
		return c
	}
	r := New("", slog.New(slog.DiscardHandler))
	first := pad(r, "A")
	if !first.HasPINPad() {
		t.Fatal("the reader has no pad")
	}
	first.padRefused(slot.ErrPadRefused)
	if pad(r, "A").HasPINPad() || !pad(r, "B").HasPINPad() {
		t.Error("the pad that refused is used again, or another reader's pad is not used")
	}
	r.IgnorePINPad = true
	if pad(r, "B").HasPINPad() {
		t.Error("the pad is used although it is switched off")
	}
}

// TestVerifyOnPadAbandoned: a conn whose reader may still ask for a PIN accepts no
// other command.
func TestVerifyOnPadAbandoned(t *testing.T) {
	typing := make(chan struct{})
	defer close(typing)
	begun := make(chan struct{})
	c := &conn{verifyCode: 1, control: func(uint32, []byte) ([]byte, error) {
		close(begun)
		<-typing
		return []byte{0x64, 0x01}, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, err := c.VerifyOnPad(ctx, smartkortEntry); !errors.Is(err, context.Canceled) {
		t.Errorf("abandoned: %v", err)
	}
	if _, err := c.VerifyOnPad(t.Context(), smartkortEntry); !errors.Is(err, errAbandoned) {
		t.Errorf("again: %v", err)
	}
}

// TestAskFeatures: a reader that does not support the request has no keys.
func TestAskFeatures(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		err    error
		has    bool
	}{"keys": {readerWithKeys, nil, true}, "none": {"", nil, false}, "refused": {"", scard.ErrUnsupportedFeature, false}} {
		conn := &conn{control: func(uint32, []byte) ([]byte, error) { return unhex(t, c.answer), c.err }}
		if conn.askFeatures(); conn.HasPINPad() != c.has {
			t.Errorf("%s: %v", name, conn.HasPINPad())
		}
	}
}

// FuzzPINPad: whatever a reader says of its features, and a card of its PIN,
// the structure is as long as it says, and no digit is in it.
func FuzzPINPad(f *testing.F) {
	f.Add(unhex(f, readerWithKeys), smartkortEntry.Command, false, 4, 8)
	f.Add([]byte{}, []byte{0, 0x20, 0, 1, 3, 0, 0, 0}, true, 6, 6)
	f.Fuzz(func(t *testing.T, answer, command []byte, bcd bool, least, most int) {
		features(answer)
		b, err := pinVerify(slot.PINEntry{Command: command, BCD: bcd, Min: least, Max: most})
		if err != nil {
			if !errors.Is(err, apdu.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if len(b) != 19+len(command) || !bytes.HasSuffix(b, command) {
			t.Fatalf("%X", b)
		}
	})
}
