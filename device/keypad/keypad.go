package keypad

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// keyBuffer is how many keys may wait for whoever reads Keys: a PIN and its #
// with room to spare. More would be typed at a program that has stopped.
const keyBuffer = 16

// eventBuffer is how many events may wait. When it is full the oldest goes.
const eventBuffer = 16

// DefaultStuckAfter is how long a key may be held before it counts as stuck,
// where nothing else is configured. Nobody leans on a key for so long.
const DefaultStuckAfter = 20 * time.Second

// Kind is what happened to a keypad.
type Kind int

const (
	Found    Kind = iota + 1 // the keypad works
	Lost                     // the keypad does not, for the reason in Err; it is looked for
	Stuck                    // keys are held too long, and are out until they are let go
	Freed                    // those keys have all been let go, and count again
	Rejected                 // two keys at once: those not yet taken are ignored
)

func (k Kind) String() string {
	switch k {
	case Found:
		return "found"
	case Lost:
		return "lost"
	case Stuck:
		return "stuck"
	case Freed:
		return "freed"
	case Rejected:
		return "rejected"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Event is something other than a key. It never names a key: what is held for
// too long, or pressed together with another, may be part of a PIN. So it may
// be logged.
type Event struct {
	Kind   Kind
	Device string // the number pad's own name, or "matrix"
	Keys   int    // how many are stuck, with Stuck
	Err    error  // why, with Lost; with Stuck that it is no key but a wire, where it is
}

// Keypad is one keypad that is being read, until Close.
type Keypad struct {
	keys   chan rune
	events chan Event
	stop   context.CancelFunc
	done   chan struct{}
}

func start(run func(ctx context.Context, k *Keypad)) *Keypad {
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keypad{
		keys:   make(chan rune, keyBuffer),
		events: make(chan Event, eventBuffer),
		stop:   cancel,
		done:   make(chan struct{}),
	}
	go func() {
		defer close(k.done)
		run(ctx, k)
	}()
	return k
}

// Keys are the keys pressed: '0' to '9', '*' to correct or cancel, '#' for OK,
// 'L' for the next language. A key counts once, when it goes down. Keys that
// nobody takes are dropped after 16. The channel is never closed.
//
// What comes out may be a PIN: it is for whoever owns the PIN, and for no log.
func (k *Keypad) Keys() <-chan rune { return k.keys }

// Events tell what a technician should know, and of two keys at once so that a
// person can be told. Whoever does not read them misses the oldest. The channel
// is never closed.
func (k *Keypad) Events() <-chan Event { return k.events }

// Close stops reading and lets go of pins and devices, within 3 s. It may be
// called again.
func (k *Keypad) Close() error {
	k.stop()
	<-k.done
	return nil
}

func (k *Keypad) press(key rune) {
	select {
	case k.keys <- key:
	default:
	}
}

// tell is called by one goroutine at a time per keypad, or under its lock.
func (k *Keypad) tell(e Event) {
	for {
		select {
		case k.events <- e:
			return
		default:
		}
		select {
		case <-k.events:
		default:
		}
	}
}

// validKey tells whether a key map may hold the rune.
func validKey(key rune) bool {
	return key >= '0' && key <= '9' || key == '*' || key == '#' || key == 'L'
}

var errKey = errors.New("a key is one of 0 to 9, *, # and L")
