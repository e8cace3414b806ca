package frontpanel

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/board"
	"smartkiosk/device/keypad"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// okKey is what is printed on the key that ends a PIN: a number pad has no #,
// and a matrix no Enter.
func okKey(keypads []board.Keypad) string {
	var hash, enter bool
	for _, k := range keypads {
		_, pad := k.(*board.USB)
		hash, enter = hash || !pad, enter || pad
	}
	switch {
	case hash && enter:
		return screen.HashOrEnter
	case enter:
		return screen.Enter
	}
	return screen.Hash
}

// take hands keys on. What nobody takes is dropped: it was typed at a program
// that has stopped.
func (p *Panel) take(ctx context.Context, keys <-chan rune) {
	for {
		select {
		case key := <-keys:
			p.press(key)
		case <-ctx.Done():
			return
		}
	}
}

func (p *Panel) press(key rune) {
	select {
	case p.keys <- key:
	default:
	}
}

// readKeypad hands on a keypad's keys and tells how it is.
func (p *Panel) readKeypad(ctx context.Context, section board.Keypad, part *part) {
	k, ok := opened(ctx, func(err error) {
		if err != nil {
			part.is(err) // of one that opens it is the events that tell
		}
	}, section.Open)
	if !ok {
		return
	}
	defer k.Close()
	there := 0 // devices: several number pads may be plugged in
	for {
		select {
		case key := <-k.Keys():
			p.press(key)
		case e := <-k.Events():
			p.keypadEvent(e, &there, part)
		case <-ctx.Done():
			return
		}
	}
}

func (p *Panel) keypadEvent(e keypad.Event, there *int, part *part) {
	switch e.Kind {
	case keypad.Found:
		*there++
		part.is(nil)
	case keypad.Lost:
		if e.Device != "" {
			*there--
		}
		if *there <= 0 {
			part.is(describe(e))
		}
	case keypad.Stuck:
		part.tell(Report{State: Stuck, Problem: fmt.Sprintf("%s: keys held for too long: %d; %v", e.Device, e.Keys, cause(e))})
	case keypad.Freed:
		part.tell(Report{State: Freed})
	case keypad.Unknown:
		p.health.log.Warn("a keypad has a key that is not known", "part", part.section, "device", e.Device, "key", e.Err)
	case keypad.Rejected:
		p.Sound(kiosk.CueRefused) // two keys at once: neither counts
	}
}

func describe(e keypad.Event) error {
	if e.Device == "" {
		return e.Err
	}
	return fmt.Errorf("%s: %w", e.Device, e.Err)
}

func cause(e keypad.Event) error {
	if e.Err != nil {
		return e.Err
	}
	return errors.New("look for a key that is jammed, or something that leans on it")
}
