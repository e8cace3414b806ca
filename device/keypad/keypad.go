package keypad

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// keyBuffer is the number of keys that may wait in Keys: more than a PIN and its
// #. If more arrive, the program has stopped reading.
const keyBuffer = 16

// eventBuffer is the number of events that may wait. When it is full, the oldest is
// dropped.
const eventBuffer = 16

// DefaultStuckAfter is how long a key may be held before it counts as stuck. A
// person does not hold a key for so long.
const DefaultStuckAfter = 20 * time.Second

// Kind is what happened to a keypad.
type Kind int

const (
	Found    Kind = iota + 1 // the keypad works
	Lost                     // the keypad does not work, for the reason in Err; the driver tries again
	Stuck                    // keys are held too long; they are ignored until they are released
	Freed                    // all stuck keys were released, and count again
	Rejected                 // two keys at once: those that do not count yet are ignored
	Unknown                  // a key that the keypad has no meaning for, described in Err; reported once
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
	case Unknown:
		return "unknown key"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Event reports something other than a key. It may be logged, because it never
// names a key that may be part of a PIN: not one that is stuck, nor one that is
// pressed together with another.
type Event struct {
	Kind   Kind
	Device string // the name of the number pad, or "matrix"
	Keys   int    // with Stuck: the number of stuck keys
	Err    error  // with Lost: the reason; with Stuck: the shorted column, if any; with Unknown: the key
}

// Keypad is a keypad that is read until Close.
type Keypad struct {
	keys   chan rune
	events chan Event
	stop   context.CancelFunc
	done   chan struct{}

	strikes strikes
}

func start(timing Timing, run func(ctx context.Context, k *Keypad)) *Keypad {
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keypad{
		keys:   make(chan rune, keyBuffer),
		events: make(chan Event, eventBuffer),
		stop:   cancel,
		done:   make(chan struct{}),

		strikes: strikes{Timing: timing},
	}
	go func() {
		defer close(k.done)
		run(ctx, k)
	}()
	return k
}

// Keys sends the keys that are pressed: '0' to '9', '*' to correct or cancel, '#'
// for OK, 'L' for the next language, 'R' and 'V' for repeat and volume of speech. A key counts once, when it goes down. When 16
// keys wait, further keys are dropped. The channel is never closed.
//
// The keys may be a PIN: they must not be logged.
func (k *Keypad) Keys() <-chan rune { return k.keys }

// Events sends what a technician should know, and Rejected, of which the holder
// should be told. When 16 events wait, the oldest is dropped. The channel is never
// closed.
func (k *Keypad) Events() <-chan Event { return k.events }

// Close stops reading and releases pins and devices, within 3 s. It may be called
// more than once.
func (k *Keypad) Close() error {
	k.stop()
	<-k.done
	k.release('*')
	return nil
}

func (k *Keypad) press(key rune) {
	if k.strikes.press(key, func() { k.send(key) }) {
		k.send(key)
	}
}

func (k *Keypad) release(key rune) { k.strikes.release(key) }

func (k *Keypad) send(key rune) {
	select {
	case k.keys <- key:
	default:
	}
}

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

// validKey reports whether a key map may hold the rune.
func validKey(key rune) bool {
	return key >= '0' && key <= '9' || key == '*' || key == '#' || key == 'L' || key == 'R' || key == 'V'
}

var errKey = errors.New("a key is one of 0 to 9, *, #, L, R and V")
