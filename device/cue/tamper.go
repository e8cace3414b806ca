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
	tamperWait  = time.Second           // the longest single wait for an edge; a missed edge is found after it
	tamperLooks = 5                     // readings of one level in a row before it counts
	tamperEvery = 10 * time.Millisecond // between two readings
)

// TamperState is the state of the switch in a housing.
type TamperState int

const (
	Unopened TamperState = iota + 1
	Opened               // or the wire is cut
	Unknown              // the line is lost; a careful caller treats it as opened
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

// Tamper watches a switch between a line and ground. The closed housing keeps the
// switch closed. A cut wire looks like an open housing, as it should. A short
// circuit looks like a closed housing; only a supervised loop could tell the two
// apart.
type Tamper struct {
	pin    gpio.PinIO
	states chan TamperState
	stop   context.CancelFunc
	done   chan struct{}
}

// OpenTamper takes the line, enables its pull-up and watches it. The line must
// support edge detection.
func OpenTamper(pin gpio.PinIO) (*Tamper, error) {
	if err := line.Claim(pin, pin.In(gpio.PullUp, gpio.BothEdges)); err != nil {
		return nil, fmt.Errorf("cannot open tamper switch: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tamper{pin: pin, states: make(chan TamperState, 16), stop: cancel, done: make(chan struct{})}
	go t.run(ctx)
	return t, nil
}

// States sends the state at the start and then every change that lasted for 50
// ms. If the caller does not read, the oldest states are dropped. The channel is
// never closed.
func (t *Tamper) States() <-chan TamperState { return t.states }

// Close stops watching and releases the line, within 2 s.
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
			// Read cannot fail: on a line that is lost it returns low, which
			// means closed. So its result counts only if a wait works too.
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

// steady waits until tamperLooks readings in a row were equal, and returns that
// state.
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

// state returns the state that the line's present level means.
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
