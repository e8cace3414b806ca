package usbreader_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/slot"
)

// verifyOnPad is the data of PC_to_RDR_Secure that libccid builds for a request of
// device/reader: 30 s, ASCII, 8 bytes, 4 to 8 digits.
const verifyOnPad = "00 1E 82 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF"

func types(digits string) usbreader.Keypad {
	return func(context.Context) ([]byte, error) { return []byte(digits), nil }
}

func says(err error) usbreader.Keypad {
	return func(context.Context) ([]byte, error) { return nil, err }
}

// TestSecure checks the answer to the host for everything that the holder may do.
func TestSecure(t *testing.T) {
	for name, c := range map[string]struct {
		keypad usbreader.Keypad
		want   string // status, bError and data
		tries  string // what the card says of the tries left then
		after  time.Duration
	}{
		"right":          {types("1234"), "00 00 00 9000", "9000", 0},
		"wrong":          {types("4321"), "00 00 00 63C2", "63C2", 0},
		"cancelled":      {says(slot.ErrPadCancelled), "40 EF 00", "63C3", 0},
		"nothing typed":  {says(slot.ErrPadTimeout), "40 F0 00", "63C3", 0},
		"broken off":     {says(errors.New("no hands")), "40 F0 00", "63C3", 0},
		"nobody":         {nil, "40 F0 00", "63C3", 30 * time.Second},
		"too few digits": {types("123"), "40 F0 00", "63C3", 0},
		"too many":       {types("123456789"), "40 F0 00", "63C3", 0},
		"letters":        {types("12A4"), "40 F0 00", "63C3", 0},
		"typed after all": {func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return []byte("1234"), nil
		}, "40 F0 00", "63C3", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c0 := card(t, "valid")
			synctest.Test(t, func(t *testing.T) {
				r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: c.keypad})
				r.Insert(c0)
				h := configured(t, r)
				h.powerOn()
				start := time.Now()
				status, code, last, data := h.ask(0x69, "00 0000", unhex(t, verifyOnPad))
				if got := append([]byte{status, code, last}, data...); !bytes.Equal(got, unhex(t, c.want)) {
					t.Errorf("%X, want %s", got, c.want)
				}
				if took := time.Since(start); took != c.after {
					t.Errorf("after %v", took)
				}
				h.expect("00200082", c.tries)
			})
		})
	}
}

// TestSecureWipes: the reader wipes the digits in its buffers.
func TestSecureWipes(t *testing.T) {
	digits := []byte("1234")
	r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: func(context.Context) ([]byte, error) { return digits, nil }})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	h.powerOn()
	if h.ask(0x69, "00 0000", unhex(t, verifyOnPad)); !bytes.Equal(digits, make([]byte, 4)) {
		t.Errorf("%q is left", digits)
	}
}

// TestSecureT1: with T=1 the reader builds the block, with the host's prologue.
func TestSecureT1(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: types("123456")})
	r.Insert(card(t, "t1"))
	h := configured(t, r)
	if got, err := h.open(254).Transmit(t.Context(), unhex(t, "00200081")); err != nil || !bytes.Equal(got, []byte{0x63, 0xC3}) {
		t.Fatalf("%X, %v", got, err)
	}
	status, _, _, got := h.ask(0x69, "00 0000", unhex(t, "00 1E 81 03 00 0606 02 00 1404 00 004008 0020008103 FFFFFF"))
	if status != 0 || !bytes.Equal(got, unhex(t, "00 40 02 9000 D2")) {
		t.Errorf("%02X %X", status, got)
	}
}

// TestSecurePulled: when the card is removed, the host gets an answer at once and the
// Keypad's context ends.
func TestSecurePulled(t *testing.T) {
	asked := make(chan struct{})
	r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: func(ctx context.Context) ([]byte, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	h.powerOn()
	h.send(0x69, "00 0000", unhex(t, verifyOnPad))
	<-asked
	r.Remove()
	if got := h.answer(); !bytes.Equal(got, unhex(t, "80 00000000 00 01 42 FE 00")) {
		t.Errorf("%X", got)
	}
}

// TestSecureRefuses: the answer names the offset of the wrong field.
func TestSecureRefuses(t *testing.T) {
	asked := false
	r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: func(context.Context) ([]byte, error) {
		asked = true
		return nil, slot.ErrPadCancelled
	}})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	if status, code, _, _ := h.ask(0x69, "00 0000", unhex(t, verifyOnPad)); status != 0x41 || code != 0xFE {
		t.Errorf("no power: %02X %02X", status, code)
	}
	h.powerOn()
	for _, c := range []struct {
		name, specific, data string
		code                 byte
	}{
		{"nothing", "00 0000", "", 1},
		{"no command", "00 0000", "00 1E 82 08 00 0804 02 00 1404 00 000000 A0200082", 1},
		{"at a level", "00 0100", verifyOnPad, 8},
		{"modification", "00 0000", "01 1E 82 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 10},
		{"unknown type of digits", "00 0000", "00 1E 83 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 12},
		{"bits that are no byte", "00 0000", "00 1E 22 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 12},
		{"length of the PIN inserted", "00 0000", "00 1E 82 48 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 13},
		{"field beyond the data", "00 0000", "00 1E 8A 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 13},
		{"place beyond the data", "00 0000", "00 1E CA 00 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 13},
		{"more digits than room", "00 0000", "00 1E 82 04 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 15},
		{"least above most", "00 0000", "00 1E 82 08 00 0405 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF", 15},
		{"Lc that lies", "00 0000", "00 1E 82 08 00 0804 02 00 1404 00 000000 A020008209 FFFFFFFFFFFFFFFF", 29},
	} {
		if status, code, _, _ := h.ask(0x69, c.specific, unhex(t, c.data)); status != 0x40 || code != c.code {
			t.Errorf("%s: %02X %d, want %d", c.name, status, code, c.code)
		}
	}
	if asked {
		t.Error("the holder was asked for a PIN that went nowhere")
	}
}
