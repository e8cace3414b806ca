//go:build linux

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/keypad/keypadsim"
)

const padWiring = `
[keypad.matrix]
rows = ["KR1", "KR2", "KR3", "KR4"]
columns = ["KC1", "KC2", "KC3"]
layout = ["123", "456", "789", "*0#"]
`

// pad is a simulated keypad on GPIO lines, with the keys of padWiring.
type pad struct{ *keypadsim.Contacts }

func newPad(t *testing.T) pad {
	p := pad{keypadsim.New([]string{"KR1", "KR2", "KR3", "KR4"}, []string{"KC1", "KC2", "KC3"})}
	for _, w := range slices.Concat(p.Rows, p.Cols) {
		register(t, w)
	}
	t.Cleanup(func() {
		for _, fault := range p.Faults() {
			t.Error(fault)
		}
	})
	return p
}

func (p pad) hold(key rune, down bool) { p.Set(strings.IndexRune("123456789*0#", key), down) }

// press presses and releases a key as slowly as a person does. It must run in a
// synctest bubble.
func (p pad) press(key rune) {
	time.Sleep(100 * time.Millisecond) // a person is slower than the first scan
	p.hold(key, true)
	time.Sleep(100 * time.Millisecond)
	p.hold(key, false)
}

func TestTryKeypad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "keypad.matrix: KR1 KR2 KR3 KR4 KC1 KC2 KC3\n  Type no PIN: what is pressed is shown. Hands off for 2s.\n")
		b.press(t, "s") // pressed before the question, so it is ignored
		b.expect(t, "Press every key, one at a time; [s] if one gives nothing. Missing: 1 2 3 4 5 6 7 8 9 * 0 #\n")
		for _, key := range "1234567890*" {
			c.press(key)
			b.expect(t, "  "+string(key)+"   missing: ")
		}
		c.press('#')
		b.expect(t, "  #   missing: none\n  right\n")
		b.end(t, nil, `keypad.matrix    right
                 no key is down by itself
                 every key was pressed
`)
	})
}

// TestTryKeypadWithACutWire checks that the missing keys identify the broken wire.
func TestTryKeypadWithACutWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		for _, key := range "134679*#" { // not the middle column
			c.press(key)
			b.expect(t, "  "+string(key)+"   missing: ")
		}
		b.press(t, "s")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 no key is down by itself
                 no key 2 5 8 0: look at the wire of column 2 (KC2)
`)
	})
}

// TestTryKeypadThatIsStuck checks a key that is down although the person does not press
// it.
func TestTryKeypadThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		c.hold('5', true)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		time.Sleep(100 * time.Millisecond)
		c.hold('6', true) // a second key next to it
		b.expect(t, "Two keys at once. If you pressed one, two wires touch.\n")
		c.hold('6', false)
		time.Sleep(100 * time.Millisecond)
		b.press(t, "q")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 keys are down although no one presses them: they are stuck or wet, or wires touch
                 stopped: not pressed: 1 2 3 4 5 6 7 8 9 * 0 #
`)
	})
}

// TestTryKeypadWithAShortCircuit checks a column that touches a row.
func TestTryKeypadWithAShortCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		for _, key := range "369#" {
			c.hold(key, true)
		}
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		b.press(t, "q")
		b.end(t, errNotRight, `keypad.matrix    wrong
                 every key of column KC3 is down: look for a short circuit
                 stopped: not pressed: 1 2 3 4 5 6 7 8 9 * 0 #
`)
	})
}

func TestTryKeypadThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.expect(t, "Missing: ")
		c.press('1')
		b.expect(t, "  1   missing: ")
		c.Lose(true)
		b.expect(t, "  wrong\n  no key is down by itself\n  lost: ")
		if err := <-b.done; !errors.Is(err, errNotRight) {
			t.Error(err)
		}
	})
}

func TestTryKeypadWithNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newPad(t)
		b := newPanelBench(t, fakeMachine(t, nil), padWiring)
		b.test(t.Context())
		b.end(t, errNotRight, `keypad.matrix    wrong
                 no key is down by itself
                 no key 1 2 3 4 5 6 7 8 9 * 0 #: look at the wire of row 1 (KR1), row 2 (KR2), row 3 (KR3), row 4 (KR4), column 1 (KC1), column 2 (KC2), column 3 (KC3)
`)
	})
}

func TestSuspect(t *testing.T) {
	m := &board.Matrix{Rows: []string{"R1", "R2", "R3", "R4"}, Columns: []string{"C1", "C2", "C3", "C4"}, Layout: []string{"123L", "456 ", "789 ", "*0# "}}
	for missing, want := range map[string]string{
		"5":    "try again; if they stay missing they are worn",
		"456":  "look at the wire of row 2 (R2)",
		"L":    "look at the wire of column 4 (C4)",
		"369#": "look at the wire of column 3 (C3)",
	} {
		if got := suspect(m, []rune(missing)); got != want {
			t.Errorf("%s: %q, want %q", missing, got, want)
		}
	}
	if got := suspect(&board.USB{}, []rune("5")); !strings.Contains(got, "worn") {
		t.Error(got)
	}
}
