package smartkort_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

func lesson(pin string) smartkort.Lesson {
	return smartkort.Lesson{
		Name: "learned",
		Choose: func(certs []smartkort.Certificate) (smartkort.Certificate, error) {
			if len(certs) == 0 {
				return smartkort.Certificate{}, errors.New("no certificate")
			}
			return certs[0], nil
		},
		AskPIN: func(smartkort.PIN) ([]byte, error) { return []byte(pin), nil },
	}
}

// counting counts APDUs.
type counting struct {
	slot.Conn
	apdus int
}

func (c *counting) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	c.apdus++
	return c.Conn.Transmit(ctx, command)
}

// TestLearnKinds learns each kind of card without its profile, and then visits it
// with what was learned.
func TestLearnKinds(t *testing.T) {
	kinds := newKinds(t)
	kinds["smartkort"] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			pin := testpki.PIN
			if name == cardsim.T1 || name == cardsim.PIV {
				pin = testpki.LongPIN
			}
			conn := &counting{Conn: connect(t, k.Card).Conn}
			learned, err := smartkort.Driver{}.Learn(t.Context(), conn, lesson(pin))
			if err != nil || conn.apdus > 300 {
				t.Fatalf("%d APDUs, %v\n%s", conn.apdus, err, learned.Profile)
			}
			if strings.Contains(learned.Script, "31 32 33 34") || strings.Contains(learned.Profile, pin) {
				t.Error("the PIN was kept")
			}
			a := alter(t, connect(t, k.Card).Conn)
			mse := 0
			a.answer = func(_ *altered, command []byte) []byte {
				if command[1] == 0x22 || command[1] == 0x87 && command[0] == 0x00 { // MSE SET, or GENERAL AUTHENTICATE
					mse++
				}
				return nil
			}
			if _, err := tryVisit(t, driverWith(t, learned.Profile), &line{Conn: a}, pin); err != nil || mse != 1 {
				t.Errorf("with the learned profile: %v, %d recipes\n%s", err, mse, learned.Profile)
			}
		})
	}
}

// TestLearnByHint learns cards without a directory, of which no profile knows anything,
// from a description by hints.
func TestLearnByHint(t *testing.T) {
	kinds := newKinds(t)
	for name, c := range map[string]struct{ hint, pin, recipe string }{
		cardsim.PIV: {`[application]
aid = "A00000030800001000"
[pin]
label = "PIN"
reference = 0x80
encoding = "ascii"
min = 6
max = 8
stored = 8
pad = 0xFF
[[key]]
label = "Authentication"
use = "authentication"
reference = 0x9A
object = "5FC105"
`, testpki.LongPIN, "general-authenticate"},
		cardsim.EstEID: {`[application]
applets = ["A000000077010800070000FE00000100"]
aid = "E828BD080FF2504F5420415750"
[pin]
label = "PIN"
reference = 0x01
encoding = "ascii"
min = 4
max = 12
stored = 12
pad = 0xFF
[[key]]
label = "Authentication"
kind = "ec"
use = "authentication"
reference = 0x81
certificate = "3401"
`, testpki.PIN, "internal-authenticate, algorithm 04"},
	} {
		hint, err := smartkort.ParseProfile([]byte("name = \"hint\"\nabout = \"a hint\"\n" + c.hint + rest))
		if err != nil {
			t.Fatal(err)
		}
		l := lesson(c.pin)
		l.Hint = hint
		conn := &counting{Conn: connect(t, kinds[name].Card).Conn}
		learned, err := smartkort.Driver{}.Learn(t.Context(), conn, l)
		if err != nil || !strings.Contains(learned.Recipe, c.recipe) || conn.apdus > 300 {
			t.Errorf("%s: %d APDUs, recipe %q, %v", name, conn.apdus, learned.Recipe, err)
			continue
		}
		if _, err := tryVisit(t, driverWith(t, learned.Profile), connect(t, kinds[name].Card), c.pin); err != nil {
			t.Errorf("%s, with the learned profile: %v\n%s", name, err, learned.Profile)
		}
	}
}

// rest is the end of a hint.
const rest = `[verify]
classes = [0x00]
[change]
recipe = "unknown"
[unblock]
recipe = "unknown"
`

// TestLearnStops: learning stops before the PIN when few tries are left, and when
// the card spends a try for a refused command, answers 9000 to everything, or is
// removed at any command.
func TestLearnStops(t *testing.T) {
	p := newPKI(t)
	image := p.Cards["valid"].Image()
	image.PINs["pin"] = cardsim.PIN{Value: []byte(testpki.PIN), Left: 2}
	few, err := cardsim.New(image)
	if err != nil {
		t.Fatal(err)
	}
	l := connect(t, few)
	if _, err := (smartkort.Driver{}).Learn(t.Context(), l, lesson(testpki.PIN)); !errors.Is(err, smartkort.ErrFewTries) || few.Image().PINs["pin"].Left != 2 {
		t.Errorf("two tries left: %v", err)
	}

	pol := policy{form: "hash", algorithm: 0x42, refusal: apdu.WrongData, counts: true}
	if _, err := (smartkort.Driver{}).Learn(t.Context(), signing(t, p, &pol), lesson(testpki.PIN)); !errors.Is(err, smartkort.ErrTrySpent) || pol.spent != 1 {
		t.Errorf("tries are spent: %v, %d", err, pol.spent)
	}

	a := alter(t, connect(t, p.Cards["valid"]).Conn)
	a.answer = func(*altered, []byte) []byte { return status(0x9000) }
	if _, err := (smartkort.Driver{}).Learn(t.Context(), a, lesson(testpki.PIN)); err == nil {
		t.Error("a card that answers 9000 to everything was learned")
	}

	for _, evil := range cardsim.Evils {
		if evil == cardsim.AnswersAfterPull {
			continue
		}
		card, err := cardsim.New(p.Cards["valid"].Image())
		if err != nil {
			t.Fatal(err)
		}
		c := &counting{Conn: connect(t, card)}
		card.TurnEvil(evil)
		if _, err := (smartkort.Driver{}).Learn(t.Context(), c, lesson(testpki.PIN)); err == nil || c.apdus > 300 || card.Image().PINs["pin"].Left != 3 {
			t.Errorf("%s: %d APDUs, %d tries, %v", evil, c.apdus, card.Image().PINs["pin"].Left, err)
		}
	}

	for at := 1; at < 60; at++ {
		pol := policy{form: "hash", algorithm: -1, refusal: apdu.WrongData}
		a := signing(t, p, &pol)
		pulled := &line{Conn: a, after: func(n int, _, response []byte) ([]byte, error) {
			if n >= at {
				return nil, slot.ErrNoCard
			}
			return response, nil
		}}
		if _, err := (smartkort.Driver{}).Learn(t.Context(), pulled, lesson(testpki.PIN)); err == nil {
			break // all commands were answered
		} else if !errors.Is(err, slot.ErrNoCard) || pol.verifies > 1 {
			t.Fatalf("removed at command %d: %v, %d VERIFY", at, err, pol.verifies)
		}
	}
}

// slowCard takes a time for each command after the PIN.
type slowCard struct {
	slot.Conn
	verified bool
}

func (s *slowCard) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if s.verified {
		time.Sleep(3 * time.Second)
	}
	s.verified = s.verified || command[1] == insVerify && len(command) > 5
	return s.Conn.Transmit(ctx, command)
}

// TestLearnTakesLong: learning a slow card ends after minutes and says how to go on.
func TestLearnTakesLong(t *testing.T) {
	p := newPKI(t)
	synctest.Test(t, func(t *testing.T) {
		pol := policy{form: "none", algorithm: -1, refusal: apdu.WrongData}
		began := time.Now()
		learned, err := smartkort.Driver{}.Learn(t.Context(), &slowCard{Conn: signing(t, p, &pol)}, lesson(testpki.PIN))
		if took := time.Since(began); !errors.Is(err, smartkort.ErrLearnBound) || took > 4*time.Minute || learned.Tried < 10 || pol.verifies != 1 {
			t.Errorf("after %v and %d ways: %v", took, learned.Tried, err)
		}
	})
}

// TestLearnedScript: the APDU script of a lesson can be played back.
func TestLearnedScript(t *testing.T) {
	learned, err := smartkort.Driver{}.Learn(t.Context(), connect(t, newPKI(t).Cards["valid"]), lesson(testpki.PIN))
	if err != nil || !strings.HasPrefix(learned.Script, "atr 3B 9F") || !bytes.Contains([]byte(learned.Script), []byte("# VERIFY, the PIN is blanked")) {
		t.Errorf("%v\n%s", err, learned.Script)
	}
}
