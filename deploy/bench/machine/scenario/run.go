//go:build linux

// Package scenario plays what a kiosk may live through, in the bench's machine:
// the release build of kioskd, on board files of deploy/boards, with hardware
// played by programs (package hardware), a hub, and a backend that pulls the
// feed.
package scenario

import (
	"errors"
	"fmt"
	"time"
)

// play is one scenario: what happens at one build.
type play struct {
	name string
	play func(*kiosk)
}

// build is a kiosk as one builds it, and what is played at it, in order.
type build struct {
	id, board string
	plays     []play
}

// Run plays all scenarios, or the short one, and reports them in a folder. Its
// error is what went otherwise than it should.
func Run(folder string, short bool) (err error) {
	r, err := NewReport(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	builds := all
	if short {
		builds = shortly
	}
	s, err := openSite()
	if err != nil {
		return fmt.Errorf("cannot set up hub and services: %w", err)
	}
	r.line("technician", "starts udev, pcscd, a hub, and a backend that pulls its feed")
	for _, b := range builds {
		err = errors.Join(err, b.run(s, r))
	}
	return errors.Join(err, s.close())
}

// run plays a build's scenarios. After one that failed the rest are not played:
// the kiosk is not where they begin.
func (b build) run(s *site, r *Report) error {
	r.heading("%s: %s", b.id, b.board)
	k, err := openKiosk(b.id, b.board, s, r)
	if err != nil {
		return fmt.Errorf("%s: %w", b.id, err)
	}
	for _, p := range b.plays {
		r.heading("%s, %s", b.id, p.name)
		began := time.Now()
		if err := perform(p, k); err != nil {
			r.line("FAILED", "%v", err)
			return fmt.Errorf("%s, %s: %w", b.id, p.name, err)
		}
		r.line("passed", "in %.1f s", time.Since(began).Seconds())
	}
	return k.Close()
}

// perform turns what a kiosk's methods panic with into an error, and looks
// whether the hardware was treated well.
func perform(p play, k *kiosk) (err error) {
	defer func() {
		if why := recover(); why != nil {
			f, ok := why.(failed)
			if !ok {
				panic(why)
			}
			err = f.err
		}
	}()
	p.play(k)
	return k.Err()
}
