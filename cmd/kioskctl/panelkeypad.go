//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/keypad"
)

const (
	startsWithin = 3 * time.Second  // wait for an opened keypad to report whether it is connected
	handsOff     = 2 * time.Second  // no key may be down during this time
	stuckSoon    = time.Second      // a key that is down for this long is stuck
	nextKey      = 30 * time.Second // wait for the next key
)

// keypad opens the keypad, checks that no key is down without being pressed, and asks
// the person to press every key.
func (t *trial) keypad(ctx context.Context, part board.Keypad) {
	k := t.take(ctx, impatient(part))
	if k == nil {
		return
	}
	goOn := t.untouched(ctx, k)
	k.Close()
	if !goOn {
		return
	}
	if k = t.take(ctx, part); k == nil {
		return
	}
	defer k.Close()
	if _, ok := part.(*board.USB); ok {
		t.note("ours alone while it is used: its keys go nowhere else")
		t.say("  Enter is #.")
	}
	if missing := t.pressed(ctx, k, keysOf(part)); len(missing) > 0 {
		t.fail("no key %s: %s", spaced(missing), suspect(part, missing))
	}
}

// impatient returns the keypad with a short stuck timeout.
func impatient(part board.Keypad) board.Keypad {
	switch d := part.(type) {
	case *board.Matrix:
		quick := *d
		quick.StuckAfter.Duration = stuckSoon
		return &quick
	case *board.USB:
		quick := *d
		quick.StuckAfter.Duration = stuckSoon
		return &quick
	}
	return part
}

// take opens the keypad and waits until it reports that it is connected. If it is not,
// take records why and returns nil. Opening a number pad grabs it, so its keys reach no
// other program.
func (t *trial) take(ctx context.Context, part board.Keypad) *keypad.Keypad {
	k, err := part.Open()
	if err != nil {
		t.fail("%v", err)
		return nil
	}
	timer := time.NewTimer(startsWithin)
	defer timer.Stop()
	select {
	case e := <-k.Events():
		if e.Kind == keypad.Found {
			return k
		}
		t.fail("%v", e.Err)
	case <-timer.C:
		t.fail("it does not start")
	case <-ctx.Done():
		t.miss("stopped")
	}
	k.Close()
	return nil
}

// keysOf returns the keys that a keypad must have, in the order in which they are on
// it.
func keysOf(part board.Keypad) string {
	if m, ok := part.(*board.Matrix); ok {
		return strings.ReplaceAll(strings.Join(m.Layout, ""), " ", "")
	}
	return "1234567890*#"
}

// untouched checks that no key is down or arrives while the person touches none. It
// reports whether the test should continue.
func (t *trial) untouched(ctx context.Context, k *keypad.Keypad) bool {
	t.say("  Type no PIN: what is pressed is shown. Hands off for %v.", handsOff)
	timer := time.NewTimer(handsOff)
	defer timer.Stop()
	for {
		select {
		case key := <-k.Keys():
			t.fail("%c came by itself: wet, or wires touch", key)
			return true
		case e := <-k.Events():
			switch {
			case e.Kind == keypad.Lost:
				t.fail("lost: %v", e.Err)
				return false
			case e.Kind == keypad.Stuck && e.Err != nil:
				t.fail("%v", e.Err)
				return true
			case e.Kind == keypad.Stuck || e.Kind == keypad.Rejected:
				t.fail("keys are down although no one presses them: they are stuck or wet, or wires touch")
				return true
			}
		case <-timer.C:
			t.note("no key is down by itself")
			return true
		case <-ctx.Done():
			t.miss("stopped")
			return false
		}
	}
}

// pressed asks the person to press every key, one at a time. It returns the keys that
// did not arrive, or nil if the test was stopped or the keypad was lost.
func (t *trial) pressed(ctx context.Context, k *keypad.Keypad, all string) (missing []rune) {
	missing = []rune(all)
	together := 0
	t.forget()
	t.say("  Press every key, one at a time; [s] if one gives nothing. Missing: %s", spaced(missing))
	timer := time.NewTimer(nextKey)
	defer timer.Stop()
	for len(missing) > 0 {
		select {
		case key := <-k.Keys():
			timer.Reset(nextKey)
			missing = slices.DeleteFunc(missing, func(m rune) bool { return m == key })
			t.say("  %c   missing: %s", key, spaced(missing))
		case e := <-k.Events():
			switch e.Kind {
			case keypad.Lost:
				t.fail("lost: %v", e.Err)
				return nil
			case keypad.Stuck:
				t.fail("a key is stuck: it was held for longer than a person does")
			case keypad.Unknown:
				t.note("it has a key that is not known: %v; please report it with the name of the pad", e.Err)
				t.say("  A key that is not known: %v.", e.Err)
			case keypad.Rejected:
				together++
				t.say("  Two keys at once. If you pressed one, two wires touch.")
			}
		case key, ok := <-t.keys:
			if !ok || answer(key) == stop {
				t.stopped = true
				t.miss("stopped: not pressed: %s", spaced(missing))
				return nil
			}
			if answer(key) == skip {
				return missing
			}
		case <-timer.C:
			return missing
		case <-ctx.Done():
			t.miss("stopped: not pressed: %s", spaced(missing))
			return nil
		}
	}
	t.note("every key was pressed")
	if together > 0 {
		t.note("two keys at once, %d times: if one was pressed each time, two wires touch", together)
	}
	return nil
}

// suspect returns what to check when keys are missing. If they are all the keys of a
// row or column, that is its wire.
func suspect(part board.Keypad, missing []rune) string {
	m, ok := part.(*board.Matrix)
	if !ok {
		return "try again; if they stay missing they are worn, or the pad has none"
	}
	gone := func(keys string) bool {
		some := false
		for _, key := range keys {
			if key != ' ' && !slices.Contains(missing, key) {
				return false
			}
			some = some || key != ' '
		}
		return some
	}
	var wires []string
	for i, name := range m.Rows {
		if gone(m.Layout[i]) {
			wires = append(wires, fmt.Sprintf("row %d (%s)", i+1, name))
		}
	}
	for i, name := range m.Columns {
		column := ""
		for _, row := range m.Layout {
			column += string([]rune(row)[i])
		}
		if gone(column) {
			wires = append(wires, fmt.Sprintf("column %d (%s)", i+1, name))
		}
	}
	if len(wires) == 0 {
		return "try again; if they stay missing they are worn"
	}
	return "look at the wire of " + strings.Join(wires, ", ")
}

func spaced(keys []rune) string {
	if len(keys) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprintf("%c", keys), "[]")
}
