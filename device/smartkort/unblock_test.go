package smartkort_test

import (
	"context"
	"errors"
	"testing"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// passwordFlags sets pwdFlags of the first object of the PIN directory.
func passwordFlags(unused, flags byte) func([]byte) []byte {
	return func(file []byte) []byte {
		first := objectsOf(file)[0]
		return within(first, func(e [][]byte) [][]byte {
			e[2] = within(e[2], func(e [][]byte) [][]byte {
				e[0] = within(e[0], func(e [][]byte) [][]byte {
					e[0] = bits(unused, flags)
					return e
				})
				return e
			})
			return e
		})
	}
}

// TestUnblockWithoutPUKObject: when the card describes no PUK, the PUK has the
// form of the PIN, or that of the profile. When the card forbids the operation,
// CanUnblock and CanChange say so and nothing is sent.
func TestUnblockWithoutPUKObject(t *testing.T) {
	const padded = "\n[puk]\nlabel = \"PUK\"\nreference = 0x83\nencoding = \"ascii\"\nmin = 8\nmax = 8\nstored = 8\npad = 0xFF\n"
	for _, c := range []struct {
		name    string
		driver  smartkort.Driver
		edit    func([]byte) []byte
		unblock error
		change  error
	}{
		{"in the form of the PIN", withUnblock(t, "reset-retry-counter"), func(b []byte) []byte { return objectsOf(b)[0] }, nil, nil},
		{"by the profile", withProfile(t, padded), func(b []byte) []byte { return objectsOf(b)[0] }, nil, nil},
		{"VERIFY of a PUK without a reference", withUnblock(t, "verify-puk"), func(b []byte) []byte { return objectsOf(b)[0] }, smartkort.ErrNoPIN, nil},
		{"unblocking disabled", withUnblock(t, "reset-retry-counter"), passwordFlags(0, 0x5C), smartkort.ErrDisabled, nil},
		{"changing disabled", withUnblock(t, "reset-retry-counter"), passwordFlags(0, 0x6C), nil, smartkort.ErrDisabled},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := newPKI(t).Cards["blocked"]
			a := alter(t, connect(t, card).Conn)
			a.edit[0x4401] = c.edit
			opened, err := c.driver.Open(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			d, err := opened.Describe(t.Context())
			if err != nil || len(d.PINs) == 0 {
				t.Fatalf("%+v, %v", d.PINs, err)
			}
			pin := d.PINs[0]
			if !errors.Is(pin.CanUnblock, c.unblock) || !errors.Is(pin.CanChange, c.change) {
				t.Errorf("unblock: %v, change: %v", pin.CanUnblock, pin.CanChange)
			}
			before := a.sent
			err = opened.UnblockPIN(context.Background(), pin.PIN, []byte(testpki.PUK), []byte("4321"))
			if !errors.Is(err, c.unblock) || err != nil && a.sent != before {
				t.Errorf("%v, %d commands", err, a.sent-before)
			}
			if left := card.Image().PINs["pin"].Left; err == nil && left != testpki.Tries {
				t.Errorf("%d tries left", left)
			}
		})
	}
}

// TestNoPINSet: a card that returns 9000 for the tries left, before any PIN was
// verified, needs no PIN.
func TestNoPINSet(t *testing.T) {
	a := alter(t, connect(t, newPKI(t).Cards["valid"]).Conn)
	a.answer = func(_ *altered, command []byte) []byte {
		if command[1] == insVerify && len(command) <= 5 {
			return status(0x9000)
		}
		return nil
	}
	card, err := smartkort.Driver{}.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	d, err := card.Describe(t.Context())
	if err != nil || !d.PINs[0].Unset || d.PINs[0].Known {
		t.Errorf("%+v, %v", d.PINs, err)
	}
}
