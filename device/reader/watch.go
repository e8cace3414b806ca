package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/slot"
)

// notification is the reader that changes when readers come or go
// (pcsc-lite, SCardGetStatusChange).
const notification = `\\?PnP?\Notification`

const (
	// maxWait bounds one wait. pcsc-lite 1.9 counts the readers when a wait
	// begins, so one that comes just before that is noticed by the next.
	maxWait = time.Minute

	// Between attempts to reach a pcscd that is not there.
	firstRetry, lastRetry = 100 * time.Millisecond, 2 * time.Second

	// Between cancellations: one that comes before the wait has begun is lost.
	cancelAgain = 20 * time.Millisecond
)

// Watch implements slot.Slot.
func (r *Reader) Watch(ctx context.Context) <-chan slot.Event {
	seen, events := make(chan slot.Event), make(chan slot.Event)
	go func() {
		defer close(seen)
		r.follow(ctx, func(e slot.Event) {
			select {
			case seen <- e:
			case <-ctx.Done():
			}
		})
	}()
	go deliver(seen, events)
	return events
}

// follow runs one session with pcscd after another until ctx ends: once
// pcscd dies, nothing of a session is of use.
func (r *Reader) follow(ctx context.Context, emit func(slot.Event)) {
	id, retry := callers.Add(1), firstRetry
	for {
		w := watch{Reader: r, id: id, known: map[string]scard.ReaderState{}, emit: emit}
		err := w.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.looked {
			retry = firstRetry
		}
		r.setCurrent("")
		if retry == firstRetry {
			r.log.Warn("no PC/SC service", "error", err)
		}
		emit(slot.Event{State: slot.NoReader, Err: fmt.Errorf("no PC/SC service: %w", err)})
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// watch is one session with pcscd.
type watch struct {
	*Reader
	id      uint64
	known   map[string]scard.ReaderState // by the reader's name
	emit    func(slot.Event)
	last    slot.Event
	counter scard.StateFlag // of last's reader
	looked  bool            // last is something that was seen
}

// run follows the readers until ctx ends or pcscd does.
func (w *watch) run(ctx context.Context) error {
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return err
	}
	defer pcsc.Release()
	ended, cancelled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(cancelled)
		cancel(ctx, pcsc, ended)
	}()
	defer func() {
		close(ended)
		<-cancelled
	}()

	for misses := 0; ; {
		names, err := w.readers(pcsc)
		if err != nil {
			return err
		}
		err = w.wait(pcsc, names)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == scard.ErrUnknownReader && misses < maxReaders:
			misses++ // one that went between the list and the wait
			continue
		case err != nil && err != scard.ErrTimeout && err != scard.ErrCancelled:
			return err
		case err == nil:
			w.look(names)
		}
		misses = 0
	}
}

// cancel ends the waits of a session once ctx has ended.
func cancel(ctx context.Context, pcsc *scard.Context, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	for {
		pcsc.Cancel()
		select {
		case <-time.After(cancelAgain):
		case <-ended:
			return
		}
	}
}

// wait returns when any of the readers is no longer as it is known, or when
// readers come or go. A reader not yet known makes it return at once.
func (w *watch) wait(pcsc *scard.Context, names []string) error {
	states := []scard.ReaderState{{Reader: alias(notification, w.id)}}
	known := map[string]scard.ReaderState{}
	for _, name := range names {
		states = append(states, scard.ReaderState{Reader: alias(name, w.id), CurrentState: w.known[name].EventState})
	}
	if len(names) == 0 {
		w.look(nil) // nothing there that would make the first wait return
	}
	if err := pcsc.GetStatusChange(states, maxWait); err != nil {
		return err
	}
	for i, name := range names {
		state := states[i+1]
		state.EventState &^= scard.StateChanged
		known[name] = state
		if _, old := w.known[name]; !old {
			w.log.Info("reader found", "reader", name)
		}
	}
	for name := range w.known {
		if _, still := known[name]; !still || known[name].EventState&scard.StateUnknown != 0 {
			w.log.Info("reader gone", "reader", name)
			delete(known, name)
		}
	}
	w.known = known
	return nil
}

// look works out what the slot holds and tells it, if it is something new.
func (w *watch) look(names []string) {
	now, counter := w.state(names)
	if now.State == slot.Empty && hasCard(w.last) && now.Reader == w.last.Reader && w.unplugged() {
		now = slot.Event{State: slot.NoReader, Err: errUnplugged}
	}
	if w.looked && now.State == w.last.State && now.Reader == w.last.Reader &&
		(!hasCard(now) || counter == w.counter && bytes.Equal(now.ATR, w.last.ATR)) {
		return
	}
	w.last, w.counter, w.looked = now, counter, true
	w.setCurrent("")
	if hasCard(now) {
		w.setCurrent(now.Reader)
	}
	w.emit(now)
}

var (
	errNoReader  = errors.New("no reader")
	errUnplugged = errors.New("the reader was unplugged")
)

// state gives what the slot holds and the reader's event counter, which goes
// up with each insertion and removal, also of those in between two looks. The
// reader that had a card keeps being looked at as long as it has one.
func (w *watch) state(names []string) (slot.Event, scard.StateFlag) {
	best := slot.Event{State: slot.NoReader, Err: errNoReader}
	var counter scard.StateFlag
	for _, name := range names {
		s, ok := w.known[name]
		if !ok || s.EventState&(scard.StateUnknown|scard.StateUnavailable) != 0 {
			continue
		}
		e := slot.Event{State: slot.Empty, Reader: name}
		if s.EventState&scard.StatePresent != 0 {
			e.State, e.ATR = slot.Present, s.Atr
			if s.EventState&scard.StateMute != 0 {
				e.State, e.ATR = slot.Mute, nil
			}
		}
		if best.State == slot.NoReader || hasCard(e) && (!hasCard(best) || name == w.last.Reader) {
			best, counter = e, s.EventState>>16
		}
	}
	return best, counter
}

func hasCard(e slot.Event) bool { return e.State == slot.Present || e.State == slot.Mute }

// deliver hands events on to a receiver that may be slow. What has passed in
// the meantime is left out, but never that a card was not the same any more.
func deliver(seen <-chan slot.Event, events chan<- slot.Event) {
	defer close(events)
	var last *slot.Event
	var queue []slot.Event
	for {
		out, next := chan<- slot.Event(nil), slot.Event{}
		if len(queue) > 0 {
			out, next = events, queue[0]
		}
		select {
		case e, ok := <-seen:
			if !ok {
				return
			}
			queue = after(last, e)
		case out <- next:
			last, queue = &next, queue[1:]
		}
	}
}

// after gives what a receiver that knows of last is to be told for e.
func after(last *slot.Event, e slot.Event) []slot.Event {
	switch {
	case last == nil:
		return []slot.Event{e}
	case hasCard(*last) && hasCard(e):
		return []slot.Event{{State: slot.Empty, Reader: last.Reader}, e}
	case e.State == last.State && e.Reader == last.Reader:
		return nil
	}
	return []slot.Event{e}
}
