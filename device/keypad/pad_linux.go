package keypad

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pad is an event device of a number pad, grabbed. The pad itself debounces its
// keys and prevents ghosts. The driver counts each key once.
type pad struct {
	path, name string
	file       padFile
	codes      Codes
	letters    bool // it is a whole keyboard
	chord      *chord
	stuckAfter time.Duration
	err        error // why reading ended

	down    map[uint16]time.Time // since when; the zero time if it is stuck
	dropped bool                 // events are incomplete until the next report
	scan    uint32               // the HID usage of the key that follows; 0 if unknown

	reported map[string]bool // unknown keys
}

// seize grabs the pad. Keys that are already down do not count: their presses went
// to another reader.
func (p *pad) seize() error {
	if err := p.file.Grab(); err != nil {
		return err
	}
	p.down = make(map[uint16]time.Time)
	return p.resync()
}

// resync reads from the kernel which keys are down. A key that was not known to be
// down does not count, because it was pressed at an unknown time.
func (p *pad) resync() error {
	keys, err := p.file.Down()
	if err != nil {
		return err
	}
	p.chord.forget(p)
	for code := range modifiers {
		if keys.has(code) {
			p.chord.resume(p, code)
		}
	}
	for code := range uint16(len(keys) * 8) {
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
			if err = p.handle(e, k); err != nil {
				break
			}
		}
		clear(events)
		if err != nil {
			return fmt.Errorf("cannot read: %w", err)
		}
	}
}

func (p *pad) handle(e inputEvent, k *Keypad) error {
	if e.kind == evSyn && e.code == synDropped {
		p.dropped = true
	}
	if p.dropped {
		// Documentation/input/event-codes.rst, SYN_DROPPED: ignore all events up
		// to and including the next report, then read the state of the keys.
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
	if e.kind == evMsc && e.code == mscScan {
		p.scan = uint32(e.value)
		return nil
	}
	if e.kind != evKey {
		p.scan = 0
		return nil
	}
	switch e.value {
	case keyDown:
		p.keyDown(e.code, k)
	case keyUp:
		p.keyUp(e.code, k)
	}
	return nil
}

func (p *pad) keyDown(code uint16, k *Keypad) {
	if _, already := p.down[code]; already {
		return
	}
	keys, known := p.chord.down(p, code, p.scan)
	if !known {
		p.reportUnknown(code, k)
		return
	}
	p.down[code] = time.Now()
	for _, key := range keys {
		k.press(key)
	}
}

func (p *pad) keyUp(code uint16, k *Keypad) {
	keys, unknownAlt := p.chord.up(p, code)
	for _, key := range keys {
		k.press(key)
		k.release(key)
	}
	if unknownAlt {
		p.report("an Alt code other than those of # and *", k)
	}
	if key, ok := p.codes[code]; ok {
		k.release(key)
	}
	before := p.anyStuck()
	delete(p.down, code)
	p.tellFreed(k, before)
}

// reportUnknown reports a key code without a meaning. The keys of a whole keyboard
// are not reported: they would tell what somebody types there.
func (p *pad) reportUnknown(code uint16, k *Keypad) {
	if p.letters {
		return
	}
	text := fmt.Sprintf("key code %d", code)
	if p.scan != 0 {
		text += fmt.Sprintf(" (HID usage %#x)", p.scan)
	}
	p.report(text, k)
}

// maxReports bounds the number of unknown keys that are reported for one pad.
const maxReports = 16

// report reports an unknown key once.
func (p *pad) report(text string, k *Keypad) {
	if p.reported[text] || len(p.reported) >= maxReports {
		return
	}
	if p.reported == nil {
		p.reported = make(map[string]bool)
	}
	p.reported[text] = true
	k.tell(Event{Kind: Unknown, Device: p.name, Err: errors.New(text)})
}

// nextStuck returns when the key that has been down longest becomes stuck, or the
// zero time if no key is down.
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
