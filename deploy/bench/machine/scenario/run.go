//go:build linux

// Package scenario plays what happens to a kiosk in use. It runs in the bench's
// machine, with the release build of kioskd, the board files of deploy/boards,
// simulated hardware (package hardware), a hub, and a backend that pulls the
// feed.
//
// Time in the machine is virtual: it passes only while every program waits. So
// the programs seem to run on an infinitely fast processor, and what a scenario
// measures is what kioskd and the hardware wait for.
package scenario

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// play is one scenario.
type play struct {
	name string
	play func(*kiosk)
}

// build is one build of a kiosk, and the scenarios that are played with it, in
// order.
type build struct {
	name, board string
	plays       []play
}

// Set is a set of builds that one run plays.
type Set int

const (
	// All is every scenario except the RealTime ones.
	All Set = iota
	// RealTime is what only means something in real time: processor time.
	RealTime
)

// Names lists the builds of a set. Each is played in a machine of its own.
func Names(s Set) []string {
	var names []string
	for _, b := range sets[s] {
		names = append(names, b.name)
	}
	return names
}

// Run plays the scenarios of a build and writes a report into a folder. It
// returns an error when a scenario fails.
func Run(name, folder string) (err error) {
	r, err := NewReport(folder, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, builds := range sets {
		for _, b := range builds {
			if b.name == name {
				return b.run(r)
			}
		}
	}
	return fmt.Errorf("there is no build %q", name)
}

// run plays a build's scenarios. When one fails, run skips the rest, because
// each begins where the one before it ended.
func (b build) run(r *Report) error {
	r.heading("%s: %s", b.name, filepath.Base(b.board))
	s, err := openSite()
	if err != nil {
		return fmt.Errorf("cannot start hub and services: %w", err)
	}
	r.line("technician", "starts udev, pcscd, a hub, and a backend that pulls its feed")
	k, err := openKiosk(b.name, b.board, s, r)
	if err != nil {
		return err
	}
	for _, p := range b.plays {
		r.heading("%s, %s", b.name, p.name)
		began := time.Now()
		if err := playOne(p, k); err != nil {
			r.line("FAILED", "%v", err)
			if k.daemon != nil {
				r.line("kioskd", "logged\n%s", k.daemon.output(0))
			}
			r.saveText(b.name+"-pcscd.log", s.pcscd.output(0))
			r.announce("%s, %s: FAILED: %v", b.name, p.name, err)
			return fmt.Errorf("%s, %s failed", b.name, p.name)
		}
		r.line("passed", "in %.1f s", time.Since(began).Seconds())
		r.announce("%s, %s: passed in %.1f s", b.name, p.name, time.Since(began).Seconds())
	}
	return errors.Join(k.Close(), s.stopHub())
}

// playOne plays one scenario. It returns the error that a method of kiosk
// panicked with, or a fault that the simulated hardware has found.
func playOne(p play, k *kiosk) (err error) {
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
