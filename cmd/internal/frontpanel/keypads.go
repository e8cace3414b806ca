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

// okKey returns the label of the key that ends a PIN. A number pad has no #, and a
// matrix has no Enter.
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

// forwardKeys passes on the keys of another panel until ctx ends.
func (p *Panel) forwardKeys(ctx context.Context, keys <-chan rune) {
	for {
		select {
		case key := <-keys:
			p.press(key)
		case <-ctx.Done():
			return
		}
	}
}

// press passes a key on. It drops the key if keyBuffer keys already wait, because then
// nothing reads them.
func (p *Panel) press(key rune) {
	select {
	case p.keys <- key:
	default:
	}
}

// readKeypad passes on a keypad's keys and reports its state until ctx ends.
func (p *Panel) readKeypad(ctx context.Context, section board.Keypad, part *part) {
	k, ok := openWithRetry(ctx, func(err error) {
		if err != nil {
			part.setError(err) // an open keypad reports its state by events
		}
	}, section.Open)
	if !ok {
		return
	}
	defer k.Close()
	devices := 0 // connected ones; there may be several number pads
	for {
		select {
		case key := <-k.Keys():
			p.press(key)
		case e := <-k.Events():
			p.keypadEvent(e, &devices, part)
		case <-ctx.Done():
			return
		}
	}
}

func (p *Panel) keypadEvent(e keypad.Event, devices *int, part *part) {
	switch e.Kind {
	case keypad.Found:
		*devices++
		part.setError(nil)
	case keypad.Lost:
		if e.Device != "" {
			*devices--
		}
		if *devices <= 0 {
			part.setError(describe(e))
		}
	case keypad.Stuck:
		part.report(Report{State: Stuck, Problem: fmt.Sprintf("%s: keys held for too long: %d; %v", e.Device, e.Keys, cause(e))})
	case keypad.Freed:
		part.report(Report{State: Freed})
	case keypad.Unknown:
		p.health.log.Warn("a keypad has an unknown key", "part", part.section, "file", e.Device, "err", e.Err)
	case keypad.Rejected:
		p.Sound(kiosk.CueRefused) // two keys were pressed at once, and the keypad passed on neither
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
	return errors.New("look for a jammed key, or an object that presses on it")
}
