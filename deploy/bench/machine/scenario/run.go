//go:build linux

// Package scenario plays what a kiosk may live through, in the bench's machine:
// the release build of kioskd, on board files of deploy/boards, with hardware
// played by programs (package hardware), a hub, and a backend that pulls the
// feed.
package scenario

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// play is one scenario: what happens at one build.
type play struct {
	name string
	play func(*kiosk)
}

// build is a kiosk as one builds it, and what is played at it, in order.
type build struct {
	name, board string
	plays       []play
}

// Names lists the builds, or the one of the short run. Each is played in a
// machine of its own.
func Names(short bool) []string {
	if short {
		return []string{shortly.name}
	}
	var names []string
	for _, b := range all {
		names = append(names, b.name)
	}
	return names
}

// Run plays what is to be played at a build, and reports it in a folder. Its
// error is what went otherwise than it should.
func Run(name, folder string) (err error) {
	r, err := NewReport(folder, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, b := range append(all, shortly) {
		if b.name == name {
			return b.run(r)
		}
	}
	return fmt.Errorf("there is no build %q", name)
}

// run plays a build's scenarios. After one that failed the rest are not played:
// the kiosk is not where they begin.
func (b build) run(r *Report) error {
	r.heading("%s: %s", b.name, filepath.Base(b.board))
	s, err := openSite()
	if err != nil {
		return fmt.Errorf("cannot set up hub and services: %w", err)
	}
	r.line("technician", "starts udev, pcscd, a hub, and a backend that pulls its feed")
	k, err := openKiosk(b.name, b.board, s, r)
	if err != nil {
		return err
	}
	r.say("%s begins", b.name)
	for _, p := range b.plays {
		r.heading("%s, %s", b.name, p.name)
		began := time.Now()
		if err := perform(p, k); err != nil {
			r.line("FAILED", "%v", err)
			if k.daemon != nil {
				r.line("kioskd", "said\n%s", k.daemon.output(0))
			}
			r.keep(b.name+"-pcscd.log", s.pcscd.output(0))
			r.say("%s, %s: FAILED: %v", b.name, p.name, err)
			return fmt.Errorf("%s, %s failed", b.name, p.name)
		}
		r.line("passed", "in %.1f s", time.Since(began).Seconds())
		r.say("%s, %s: passed in %.1f s", b.name, p.name, time.Since(began).Seconds())
	}
	return errors.Join(k.Close(), s.stopHub())
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
