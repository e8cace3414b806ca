package cue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"periph.io/x/conn/v3/gpio"

	"smartkiosk/device/line"
)

const (
	tamperWait  = time.Second           // one wait for an edge; a missed one is found after it
	tamperLooks = 5                     // of one level in a row, before it counts
	tamperEvery = 10 * time.Millisecond // between them
)

// TamperState is what the switch of a housing says.
type TamperState int

const (
	Unopened TamperState = iota + 1
	Opened               // or its wire is cut
	Unknown              // its line is lost: whoever is careful takes it for opened
)

func (s TamperState) String() string {
	switch s {
	case Unopened:
		return "unopened"
	case Opened:
		return "opened"
	case Unknown:
		return "unknown"
	}
	return "state " + strconv.Itoa(int(s))
}

// Tamper watches a switch that a closed housing keeps closed, from a line to
// ground. A cut wire looks like an open housing, as it should; a short circuit
// looks like a closed one, and only a supervised loop would tell.
type Tamper struct {
	pin    gpio.PinIO
	states chan TamperState
	stop   context.CancelFunc
	done   chan struct{}
}

// OpenTamper takes the line, with its pull-up, and watches it. Lines without
// edge detection will not do.
func OpenTamper(pin gpio.PinIO) (*Tamper, error) {
	if err := line.Claim(pin, pin.In(gpio.PullUp, gpio.BothEdges)); err != nil {
		return nil, fmt.Errorf("cannot open tamper switch: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tamper{pin: pin, states: make(chan TamperState, 16), stop: cancel, done: make(chan struct{})}
	go t.run(ctx)
	return t, nil
}

// States are the state found first and then every change that lasted for 50
// ms. Whoever does not read misses the oldest. It is never closed.
func (t *Tamper) States() <-chan TamperState { return t.states }

// Close stops watching, within 2 s.
func (t *Tamper) Close() error {
	t.stop()
	<-t.done
	line.Release(t.pin)
	return nil
}

func (t *Tamper) run(ctx context.Context) {
	defer close(t.done)
	var told TamperState
	tell := func(s TamperState) {
		if s != told && ctx.Err() == nil {
			told = s
			t.tell(s)
		}
	}
	for ctx.Err() == nil {
		var err error
		if t.state() == told {
			_, err = line.Wait(ctx, t.pin, tamperWait)
		} else {
			state := t.steady(ctx)
			// Read cannot fail, and says low on a line that is lost: closed.
			// So what it says counts only when a wait works too.
			if _, err = line.Wait(ctx, t.pin, tamperEvery); err == nil && t.steady(ctx) == state {
				tell(state)
			}
		}
		if err != nil {
			tell(Unknown)
			for t.pin.In(gpio.PullUp, gpio.BothEdges) != nil && line.Sleep(ctx, tamperWait) {
			}
		}
	}
}

// steady waits until the state was the same in some looks in a row.
func (t *Tamper) steady(ctx context.Context) TamperState {
	state, same := t.state(), 1
	for same < tamperLooks && line.Sleep(ctx, tamperEvery) {
		if now := t.state(); now == state {
			same++
		} else {
			state, same = now, 1
		}
	}
	return state
}

// state is what the level says at the moment.
func (t *Tamper) state() TamperState {
	if t.pin.Read() == gpio.Low {
		return Unopened
	}
	return Opened
}

func (t *Tamper) tell(s TamperState) {
	for {
		select {
		case t.states <- s:
			return
		default:
		}
		select {
		case <-t.states:
		default:
		}
	}
}
