//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// answerWithin limits the wait for an answer. After that the person has probably left
// the panel.
const answerWithin = 2 * time.Minute

// answer is the key that the person in front of the panel presses.
type answer byte

const (
	yes   answer = 'y'
	no    answer = 'n'
	again answer = 'r'
	skip  answer = 's' // also: no answer in time
	stop  answer = 'q' // also: interrupted, or standard input has ended
)

// person is the person who tests a panel. Questions are written to out; the answers are
// single keys.
type person struct {
	keys <-chan byte // closed when standard input has ended
	out  io.Writer
}

func (p person) say(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// forget drops keys that were pressed before the question. Otherwise a second y would
// open the door.
func (p person) forget() {
	for {
		select {
		case _, ok := <-p.keys:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// ask shows a question and waits for one of the keys wanted, or s or q.
func (p person) ask(ctx context.Context, question string, wanted ...answer) answer {
	p.forget()
	keys := ""
	for _, w := range wanted {
		keys += string(rune(w)) + " "
	}
	fmt.Fprintf(p.out, "  %s [%ss q] ", question, keys)
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	for {
		select {
		case key, ok := <-p.keys:
			a := answer(key)
			if !ok {
				a = stop
			}
			for _, w := range append(wanted, skip, stop) {
				if a == w {
					p.say("%c", a)
					return a
				}
			}
		case <-late.C:
			p.say("no answer")
			return skip
		case <-ctx.Done():
			p.say("")
			return stop
		}
	}
}

// person returns the person at standard input. At a terminal it reads keys without
// Enter and without echo. The caller must call done at the end, which restores the
// terminal.
func (p program) person() (who person, done func(), err error) {
	done = func() {}
	if f, ok := p.stdin.(*os.File); ok {
		if old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			single := *old
			single.Lflag &^= unix.ICANON | unix.ECHO // ISIG stays set, so Ctrl-C interrupts
			single.Cc[unix.VMIN], single.Cc[unix.VTIME] = 1, 0
			if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &single); err != nil {
				return who, done, fmt.Errorf("cannot ask at this terminal: %w", err)
			}
			done = func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETSF, old) }
		}
	}
	keys := make(chan byte, 16)
	go func() {
		defer close(keys)
		for {
			var key [1]byte
			if n, err := p.stdin.Read(key[:]); n == 0 || err != nil {
				return
			}
			select {
			case keys <- key[0]:
			default: // too many keys, for example when something lies on the keyboard
			}
		}
	}()
	return person{keys: keys, out: p.stderr}, done, nil
}
