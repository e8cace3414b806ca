package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// answerWithin is how long a question waits. Whoever asked has gone down the
// ladder after that.
const answerWithin = 2 * time.Minute

// answer is what the person in front of a panel says, by one key.
type answer byte

const (
	yes   answer = 'y'
	no    answer = 'n'
	again answer = 'r'
	skip  answer = 's' // also: no answer in time
	stop  answer = 'q' // also: interrupted, or nobody is there to answer
)

// person is whoever tries a panel: asked by text, answering by keys.
type person struct {
	keys <-chan byte // closed when there is nobody
	out  io.Writer
}

func (p person) say(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// forget drops what was pressed before it was asked for: a second y would open
// the door.
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

// ask waits for one of the keys wanted, or s or q.
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

// person gives whoever is at standard input. done must be called at last: at a
// terminal, keys are had without Enter and not shown until then.
func (p program) person() (who person, done func(), err error) {
	done = func() {}
	if f, ok := p.stdin.(*os.File); ok {
		if old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			single := *old
			single.Lflag &^= unix.ICANON | unix.ECHO // but Ctrl-C interrupts, by ISIG
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
			default: // somebody leans on the keyboard
			}
		}
	}()
	return person{keys: keys, out: p.stderr}, done, nil
}
