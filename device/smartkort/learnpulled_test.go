package smartkort_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// pulledLine is a connection whose card is removed at a command: before the card
// receives it, or before its response arrives.
type pulledLine struct {
	slot.Conn
	at       int // the command, which counts from 1
	received bool
	sent     int
	verifies int // VERIFY commands with a PIN whose class the card knows
}

func (p *pulledLine) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	p.sent++
	if p.sent > p.at || p.sent == p.at && !p.received {
		return nil, slot.ErrNoCard
	}
	response, err := p.Conn.Transmit(ctx, command)
	if command[1] == insVerify && len(command) > 5 && !bytes.Equal(response, []byte{0x6E, 0x00}) {
		p.verifies++
	}
	if p.sent == p.at {
		return nil, slot.ErrNoCard
	}
	return response, err
}

// TestLearnPulled removes the card at every command of a lesson. The card itself counts
// the tries: a right PIN spends none, and a wrong one spends the one that the holder
// made, if it reached the card.
func TestLearnPulled(t *testing.T) {
	kinds := newKinds(t)
	kinds[cardsim.Smartkort] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		right, wrong := testpki.PIN, "0000"
		if name == cardsim.T1 || name == cardsim.PIV {
			right, wrong = testpki.LongPIN, "000000"
		}
		for _, pin := range []string{right, wrong} {
			for _, received := range []bool{false, true} {
				whole := 0 // commands of a whole lesson
				for at := 1; whole == 0; at++ {
					card, err := cardsim.New(kinds[name].Card.Image())
					if err != nil {
						t.Fatal(err)
					}
					before := card.Image().PINs
					p := &pulledLine{Conn: connect(t, card).Conn, at: at, received: received}
					_, err = smartkort.Driver{}.Learn(t.Context(), p, lesson(pin))
					if p.sent < at {
						whole = p.sent
					} else if !errors.Is(err, slot.ErrNoCard) {
						t.Fatalf("%s, removed at command %d: %v", name, at, err)
					}
					if p.verifies > 1 {
						t.Fatalf("%s, removed at command %d: %d VERIFY", name, at, p.verifies)
					}
					for id, after := range card.Image().PINs {
						spent := before[id].Left - after.Left
						if id == "pin" && pin == wrong {
							spent -= p.verifies // the holder's own
						}
						if spent != 0 {
							t.Fatalf("%s, removed at command %d: %d tries of %s are spent", name, at, spent, id)
						}
					}
				}
				if whole < 5 || whole > 300 {
					t.Errorf("%s: a lesson of %d commands", name, whole)
				}
			}
		}
	}
}
