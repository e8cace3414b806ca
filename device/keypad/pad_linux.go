package keypad

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pad is one grabbed number pad. It debounces by itself and has a diode or a
// controller against ghosts; what is left to do is to count each key once.
type pad struct {
	path, name string
	file       padFile
	codes      Codes
	stuckAfter time.Duration
	err        error // why reading ended

	down    map[uint16]time.Time // since when; the zero time: stuck
	dropped bool                 // until the next report, events are incomplete
}

// seize grabs the pad and notes which keys are down already: their presses went
// elsewhere.
func (p *pad) seize() error {
	if err := p.file.Grab(); err != nil {
		return err
	}
	p.down = make(map[uint16]time.Time)
	return p.resync()
}

// resync brings down to what the kernel says. A key that it did not know of was
// pressed at a time that is not known: it gives no key.
func (p *pad) resync() error {
	keys, err := p.file.Down()
	if err != nil {
		return err
	}
	for code := range p.codes {
		_, known := p.down[code]
		switch down := keys.has(code); {
		case down && !known:
			p.down[code] = time.Now()
		case !down && known:
			delete(p.down, code)
		}
	}
	return nil
}

// read reads until the pad is unplugged or closed.
func (p *pad) read(k *Keypad) error {
	buf := make([]byte, 64*eventSize)
	defer clear(buf) // a PIN went through it
	kept := 0
	for {
		if err := p.file.SetReadDeadline(p.nextStuck()); err != nil {
			return err
		}
		n, err := p.file.Read(buf[kept:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.findStuck(k)
			continue
		case errors.Is(err, unix.ENODEV):
			return errors.New("unplugged")
		case err != nil:
			return fmt.Errorf("cannot read: %w", err)
		}
		events, rest := decodeEvents(buf[:kept+n], eventSize)
		kept = copy(buf, rest)
		clear(buf[kept:])
		for _, e := range events {
			if err = p.take(e, k); err != nil {
				break
			}
		}
		clear(events)
		if err != nil {
			return fmt.Errorf("cannot read: %w", err)
		}
	}
}

func (p *pad) take(e inputEvent, k *Keypad) error {
	if e.kind == evSyn && e.code == synDropped {
		p.dropped = true
	}
	if p.dropped {
		// Documentation/input/event-codes.rst, SYN_DROPPED: ignore all up to
		// and including the next report, then ask.
		if e.kind != evSyn || e.code != synReport {
			return nil
		}
		p.dropped = false
		before := p.anyStuck()
		if err := p.resync(); err != nil {
			return err
		}
		p.tellFreed(k, before)
		return nil
	}
	key, ok := p.codes[e.code]
	if e.kind != evKey || !ok {
		return nil
	}
	switch e.value {
	case keyDown:
		if _, already := p.down[e.code]; !already {
			p.down[e.code] = time.Now()
			k.press(key)
		}
	case keyUp:
		before := p.anyStuck()
		delete(p.down, e.code)
		p.tellFreed(k, before)
	}
	return nil
}

// nextStuck is when the key that has been down for longest becomes stuck, or
// the zero time: never.
func (p *pad) nextStuck() (at time.Time) {
	for _, since := range p.down {
		if then := since.Add(p.stuckAfter); !since.IsZero() && (at.IsZero() || then.Before(at)) {
			at = then
		}
	}
	return at
}

func (p *pad) findStuck(k *Keypad) {
	stuck, now := 0, time.Now()
	for code, since := range p.down {
		if !since.IsZero() && now.Sub(since) >= p.stuckAfter {
			p.down[code] = time.Time{}
			stuck++
		}
	}
	if stuck > 0 {
		k.tell(Event{Kind: Stuck, Device: p.name, Keys: stuck})
	}
}

func (p *pad) anyStuck() bool {
	for _, since := range p.down {
		if since.IsZero() {
			return true
		}
	}
	return false
}

func (p *pad) tellFreed(k *Keypad, before bool) {
	if before && !p.anyStuck() {
		k.tell(Event{Kind: Freed, Device: p.name})
	}
}
