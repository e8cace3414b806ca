//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

func newKinds(t *testing.T) map[string]testpki.Kind {
	t.Helper()
	kinds, err := newPKI(t).Kinds()
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// TestPINCommands changes PINs, spends tries, blocks and unblocks.
func TestPINCommands(t *testing.T) {
	kinds := newKinds(t)
	for _, c := range []struct {
		name, kind, args, stdin, want string // want: a part of the error, "" for none
		pin, value                    string
		left                          int
	}{
		{"changed", cardsim.T1, "card pin change", "123456\n864213\n864213\n", "", "pin", "864213", 3},
		{"wrong PIN", cardsim.T1, "card pin change", "000000\n111111\n111111\n", "wrong PIN, 2 tries left", "pin", "864213", 2},
		{"typed differently", cardsim.T1, "card pin change", "864213\n111111\n111112\n", "entries of the new PIN differ", "pin", "864213", 2},
		{"too short", cardsim.T1, "card pin change", "864213\n1111\n1111\n", "it must have 6 digits", "pin", "864213", 2},
		{"wrong PUK", cardsim.T1, "card pin unblock", "00000000\n123456\n123456\n", "wrong PUK, 2 tries left", "pin", "864213", 2},
		{"unblocked", cardsim.T1, "card pin unblock", "12345678\n123456\n123456\n", "", "pin", "123456", 3},
		{"which of two", cardsim.TwoPIN, "card pin change", "1234\n8642\n8642\n", `several PINs, "Signature PIN", "PIN"; choose one`, "pin", "1234", 3},
		{"the other of two", cardsim.TwoPIN, "card pin change --pin PIN", "1234\n8642\n8642\n", "", "pin", "8642", 3},
		{"nothing typed", cardsim.TwoPIN, "card pin change --pin PIN", "", "has no PIN", "pin", "8642", 3},
		{"not public", cardsim.Mixed, "card pin change", "1234\n8642\n8642\n", "is not public (profile buypass). The holder can do it on the issuer's own page", "pin", "1234", 3},
	} {
		b := newBench(kinds[c.kind].Card, c.stdin)
		// --pin takes one word here.
		err := b.run(t.Context(), strings.Fields(c.args))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		pin := kinds[c.kind].Card.Image().PINs[c.pin]
		if string(pin.Value) != c.value || pin.Left != c.left {
			t.Errorf("%s: the card has PIN %s, %d tries left", c.name, pin.Value, pin.Left)
		}
		for _, secret := range strings.Fields(c.stdin) {
			if strings.Contains(b.stdout.String()+b.stderr.String(), secret) {
				t.Errorf("%s: %s was printed", c.name, secret)
			}
		}
	}
	for _, args := range []string{"pin", "card pin", "card pin reset", "card pin change 1234"} {
		b := newBench(nil, "")
		if err := b.run(t.Context(), strings.Fields(args)); !errors.Is(err, cli.ErrUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestPINByOwnProfile checks that a shop with the card's specification can change the
// PIN of a Smartkort with its own profile.
func TestPINByOwnProfile(t *testing.T) {
	p := newPKI(t)
	b := newBench(p.Cards["valid"], "1234\n8642\n8642\n")
	if err := b.run(t.Context(), []string{"card", "pin", "change", "--profiles", "testdata/profiles"}); err != nil {
		t.Fatal(err)
	}
	if got := p.Cards["valid"].Image().PINs["pin"].Value; string(got) != "8642" {
		t.Errorf("the PIN is %s", got)
	}
	b = newBench(p.Cards["valid"], "")
	if err := b.run(t.Context(), []string{"card", "--profiles", t.TempDir()}); err == nil {
		t.Error("a folder without profiles")
	}
	if _, err := smartkort.LoadProfiles("testdata/profiles"); err != nil {
		t.Error(err)
	}
}
