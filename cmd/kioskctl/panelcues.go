//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/physic"

	"smartkiosk/device/board"
	"smartkiosk/device/cue"
)

// twoBeeps is the sound that tests the buzzer.
var twoBeeps = []cue.Note{
	{Pitch: 2 * physic.KiloHertz, For: 200 * time.Millisecond},
	{For: 200 * time.Millisecond},
	{Pitch: 2 * physic.KiloHertz, For: 200 * time.Millisecond},
}

func (t *trial) buzzer(ctx context.Context, part board.Sounder) {
	b, err := part.Open()
	if err != nil {
		t.fail("%v", err)
		return
	}
	defer b.Close()
	beep := func() error { b.Play(twoBeeps...); return nil }
	t.confirm(ctx, beep, "Did it beep twice?", "it beeps", "its wires and its polarity; active_low if it never stops; a buzzer without a tone of its own is buzzer.piezo")
	select {
	case err := <-b.Errors():
		t.fail("%v", err)
	default:
	}
}

// lamps switches the lamps on one after the other, and then off.
func (t *trial) lamps(ctx context.Context, part *board.Lamps) {
	l, err := part.Open()
	if err != nil {
		t.fail("%v", err)
		return
	}
	defer func() {
		if err := l.Show(false, false, false); err != nil {
			t.fail("%v", err)
		}
	}()
	for _, lamp := range []struct {
		colour, line       string
		green, yellow, red bool
	}{
		{"green", part.Green, true, false, false},
		{"yellow", part.Yellow, false, true, false},
		{"red", part.Red, false, false, true},
	} {
		if lamp.line == "" || t.stopped {
			continue
		}
		light := func() error { return l.Show(lamp.green, lamp.yellow, lamp.red) }
		t.confirm(ctx, light, fmt.Sprintf("Is the %s lamp lit, and no other?", lamp.colour), lamp.colour+" lights alone",
			"its wire ("+lamp.line+") and polarity; active_low if the others are lit instead")
	}
}

// opensFor is how long the door is open in the test.
const opensFor = time.Second

// strike opens the door once, if the person agrees.
func (t *trial) strike(ctx context.Context, part *board.Strike) {
	s, err := part.Open()
	if err != nil {
		t.fail("%v", err)
		return
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.fail("%v", err)
		}
	}()
	if a := t.ask(ctx, fmt.Sprintf("The door opens for %v, now. All right?", opensFor), yes, no); a != yes {
		t.stopped = a == stop
		t.miss("the door was not to be opened")
		return
	}
	t.confirm(ctx, func() error { return s.Open(opensFor) }, "Did it click, open, and shut again?", "it opens and shuts",
		"its wires and its own supply; active_low if it was open before and shut for a second")
}

// movedWithin limits the wait for the person to move the lid of the housing.
const movedWithin = time.Minute

// tamper asks the person to open and close the housing, starting with the opposite of
// its present state.
func (t *trial) tamper(ctx context.Context, part *board.Tamper) {
	s, err := part.Open()
	if err != nil {
		t.fail("%v", err)
		return
	}
	defer s.Close()
	state, ok := t.moved(ctx, s.States(), 0)
	for range 2 {
		if !ok {
			return
		}
		t.forget()
		if state == cue.Unopened {
			t.say("  It says closed. Open the housing, or let go of its switch. [s q]")
		} else {
			t.say("  It says open. Close the housing, or press its switch. [s q]")
		}
		state, ok = t.moved(ctx, s.States(), state)
	}
	if ok {
		t.note("it tells open from closed")
	}
}

// moved waits until the switch reports a state other than before. ok is false if it
// does not, and the reason is recorded.
func (t *trial) moved(ctx context.Context, states <-chan cue.TamperState, before cue.TamperState) (now cue.TamperState, ok bool) {
	timer := time.NewTimer(movedWithin)
	defer timer.Stop()
	for {
		select {
		case now := <-states:
			if now == cue.Unknown {
				t.fail("its line is lost")
				return now, false
			}
			if now != before {
				return now, true
			}
		case key, there := <-t.keys:
			switch {
			case !there || answer(key) == stop:
				t.stopped = true
				t.miss("stopped before it was moved")
				return before, false
			case answer(key) == skip:
				t.miss("it was not moved")
				return before, false
			}
		case <-timer.C:
			t.fail("it says %v, whatever was done within %v: its wires, and whether the lid reaches it", before, movedWithin)
			return before, false
		case <-ctx.Done():
			t.miss("stopped before it was moved")
			return before, false
		}
	}
}
