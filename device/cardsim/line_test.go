package cardsim_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/slot"
)

// TestLine compares times with figures that were calculated by hand, in etu.
func TestLine(t *testing.T) {
	line := cardsim.Line{Rate: 1_000_000} // an etu is a microsecond
	const etu = time.Microsecond
	for _, c := range []struct {
		name, command, response string
		t0                      time.Duration
	}{
		{"no data", "00 A4 00 0C", "9000", (7*12 + 2*4) * etu},
		{"data in: header, ACK, 2 bytes, SW", "00 A4 00 00 02 3F00", "9000", (10*12 + 4*4) * etu},
		{"data out: header, ACK, 16 bytes, SW", "00 C0 00 00 10", strings.Repeat("AA", 16) + "9000", (24*12 + 2*4) * etu},
		{"nothing to give", "00 B0 00 00 00", "6C30", (7*12 + 2*4) * etu},
		{"class refused by the header", "A0 A4 00 00 02 3F00", "6E00", (7*12 + 2*4) * etu},
		{"PIN refused after it was sent", "00 20 00 82 08 3132333435363738", "63C2", (16*12 + 4*4) * etu},
		{"no answer", "00 A4 00 0C", "", 0},
	} {
		if got := line.T0(unhex(t, c.command), unhex(t, c.response)); got != c.t0 {
			t.Errorf("%s: %v, want %v", c.name, got, c.t0)
		}
	}

	short, long := make([]byte, 10), make([]byte, 600)
	if got, want := line.T1(short, short), time.Duration(2*(14*12+10))*etu; got != want {
		t.Errorf("T=1, one block each way: %v, want %v", got, want)
	}
	// 600 bytes are three blocks, of which two are acknowledged.
	if got, want := line.T1(short, long), time.Duration(14*12+10+(600+5*4)*12+5*10)*etu; got != want {
		t.Errorf("T=1, a chain: %v, want %v", got, want)
	}
	if got := line.T1(short, nil); got != 0 {
		t.Errorf("T=1, no answer: %v", got)
	}

	if got, want := line.Reset(make([]byte, 20)), 25*time.Millisecond; got != want {
		t.Errorf("answer to reset of 20 bytes: %v, want %v at 9600 bit/s", got, want)
	}
	none := cardsim.Line{}
	if none.T0(short, short)+none.T1(short, short)+none.Reset(short) != 0 {
		t.Error("no line takes time")
	}
	// A certificate of 1600 bytes, in blocks of 256, at 9600 bit/s: 2 s.
	var certificate time.Duration
	for range 7 {
		certificate += cardsim.Line{Rate: 9600}.T0(unhex(t, "00 B0 00 00 00"), make([]byte, 1600/7+2))
	}
	if certificate < 2000*time.Millisecond || certificate > 2100*time.Millisecond {
		t.Errorf("a certificate takes %v", certificate)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSlotOverLine checks that commands to a Slot take the line's time, and that a
// card can be removed during a command.
func TestSlotOverLine(t *testing.T) {
	p := newPKI(t)
	t1 := newKinds(t)["t1"].Card
	synctest.Test(t, func(t *testing.T) {
		line := cardsim.Line{Rate: 9600}
		s := cardsim.NewSlot("slot")
		card := p.Cards["valid"]
		card.SetLine(line, time.Sleep)
		s.Insert(card)
		start := time.Now()
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != line.Reset(card.ATR()) {
			t.Errorf("Connect took %v", got)
		}
		start = time.Now()
		if r, err := conn.Transmit(t.Context(), askPUK); err != nil || !bytes.Equal(r, []byte{0x63, 0xC3}) {
			t.Fatalf("%X, %v", r, err)
		}
		took := line.T0(askPUK, []byte{0x63, 0xC3})
		if got := time.Since(start); got != took || took == 0 {
			t.Errorf("a command took %v, want %v", got, took)
		}
		time.AfterFunc(took/2, s.Remove)
		if _, err := conn.Transmit(t.Context(), askPUK); !errors.Is(err, slot.ErrNoCard) {
			t.Errorf("pulled in the middle: %v", err)
		}
	})

	var sum time.Duration
	t1.SetLine(cardsim.Line{Rate: 250_000}, func(d time.Duration) { sum += d })
	s := cardsim.NewSlot("slot")
	s.Insert(t1)
	conn, err := s.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ask := []byte{0x00, 0x20, 0x00, 0x82}
	if _, err := conn.Transmit(context.Background(), ask); err != nil {
		t.Fatal(err)
	}
	line := cardsim.Line{Rate: 250_000}
	if want := line.Reset(t1.ATR()) + line.T1(ask, []byte{0x63, 0xC3}); sum != want {
		t.Errorf("accounted %v, want %v", sum, want)
	}
}
