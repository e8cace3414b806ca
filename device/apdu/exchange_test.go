package apdu_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/apdutest"
	"smartkiosk/device/slot"
)

var (
	readBinary = apdu.Command{INS: 0xB0, Le: 256}
	verify     = apdu.Command{CLA: 0xA0, INS: 0x20, P2: 0x82, Data: []byte("1234\xFF\xFF\xFF\xFF")}
)

// TestExchange covers the responses of T=0 cards to one command.
func TestExchange(t *testing.T) {
	for _, c := range []struct {
		name, script string
		cmd          apdu.Command
		want         string
		sw           apdu.Status
	}{
		{"at once", `
			> 00 B0 00 00 00  # read up to 256 bytes
			< AA BB 90 00`, readBinary, "AABB", apdu.OK},
		{"wrong Le", `
			> 00 B0 00 00 00  # read up to 256 bytes
			< 6C 02
			> 00 B0 00 00 02  # again, as told
			< AA BB 90 00`, readBinary, "AABB", apdu.OK},
		{"wrong Le twice is the card's last word", `
			> 00 B0 00 00 00  # read up to 256 bytes
			< 6C 02
			> 00 B0 00 00 02  # again, as told
			< 6C 02`, readBinary, "", 0x6C02},
		{"two portions wait, the last ends the file", `
			> 00 B0 00 00 00  # read up to 256 bytes
			< 61 02
			> 00 C0 00 00 02  # fetch
			< AA BB 61 01
			> 00 C0 00 00 01  # fetch the rest
			< CC 62 82`, readBinary, "AABBCC", apdu.EndOfFile},
		{"GET RESPONSE told the right length", `
			> 00 B0 00 00 00  # read up to 256 bytes
			< 61 00
			> 00 C0 00 00 00  # fetch 256
			< 6C 01
			> 00 C0 00 00 01  # fetch 1
			< AA 90 00`, readBinary, "AA", apdu.OK},
		{"class A0 is fetched by class 00", `
			> A0 20 00 82 08 31 32 33 34 FF FF FF FF  # verify
			< 61 01
			> 00 C0 00 00 01  # fetch
			< AA 90 00`, verify, "AA", apdu.OK},
		{"class A0 throughout for a card that knows no other", `
			> A0 20 00 82 08 31 32 33 34 FF FF FF FF  # verify
			< 61 01
			> 00 C0 00 00 01  # fetch
			< 6E 00
			> A0 C0 00 00 01  # fetch in the command's class
			< AA 90 00`, verify, "AA", apdu.OK},
		{"VERIFY is never sent twice", `
			> A0 20 00 82 08 31 32 33 34 FF FF FF FF  # verify
			< 6C 08`, verify, "", 0x6C08},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := apdu.Exchange(t.Context(), apdutest.Play(t, c.script), c.cmd)
			if err != nil || r.SW != c.sw || !bytes.Equal(r.Data, unhex(t, c.want)) {
				t.Errorf("%X %v, %v", r.Data, r.SW, err)
			}
		})
	}
}

type card func(command []byte) []byte

func (c card) Transmit(_ context.Context, command []byte) ([]byte, error) { return c(command), nil }

// TestEndlessCards checks that a card which always has more data is stopped by
// the limits of APDUs and bytes.
func TestEndlessCards(t *testing.T) {
	for name, answer := range map[string][]byte{
		"empty 61xx":    {0x61, 0x10},
		"full 61xx":     append(make([]byte, 256), 0x61, 0x00),
		"huge 61xx":     append(make([]byte, 65536), 0x61, 0x00),
		"6Cxx for ever": {0x6C, 0x10},
	} {
		var sent, received int
		_, err := apdu.Exchange(t.Context(), card(func([]byte) []byte {
			sent++
			received += len(answer)
			if name == "6Cxx for ever" && sent == 1 {
				return []byte{0x61, 0x01}
			}
			return bytes.Clone(answer)
		}), readBinary)
		if !errors.Is(err, apdu.ErrEndless) || sent > apdu.MaxRounds || received > 3*apdu.MaxReceived {
			t.Errorf("%s: %d APDUs, %d bytes: %v", name, sent, received, err)
		}
	}
}

// TestExchangeWipes checks that the bytes of a command contain no PIN after it
// was sent.
func TestExchangeWipes(t *testing.T) {
	var kept []byte
	_, err := apdu.Exchange(t.Context(), card(func(b []byte) []byte { kept = b; return []byte{0x90, 0x00} }), verify)
	if err != nil || len(kept) != 13 || !bytes.Equal(kept, make([]byte, 13)) {
		t.Errorf("left behind: %X, %v", kept, err)
	}
}

func TestExchangeErrors(t *testing.T) {
	gone := apdutest.Play(t, "> 00 B0 00 00 00 # read, pulled\n< no card")
	if _, err := apdu.Exchange(t.Context(), gone, readBinary); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("pulled: %v", err)
	}
	half := apdutest.Play(t, "> 00 B0 00 00 00 # read\n< 90")
	if _, err := apdu.Exchange(t.Context(), half, readBinary); !errors.Is(err, apdu.ErrMalformed) {
		t.Errorf("half a status: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := apdu.Exchange(ctx, apdutest.Play(t, ""), readBinary); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
