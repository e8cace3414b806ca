package terminal

import "context"

// mailbox passes values in order from any number of goroutines to one. A sender
// never waits for the receiver.
type mailbox[T any] struct {
	in   chan T
	out  chan T
	done <-chan struct{}
}

// newMailbox returns a mailbox that works until ctx ends. It drops later values.
func newMailbox[T any](ctx context.Context) mailbox[T] {
	m := mailbox[T]{in: make(chan T), out: make(chan T), done: ctx.Done()}
	go m.pass()
	return m
}

func (m mailbox[T]) pass() {
	defer close(m.out)
	var queue []T
	in := m.in
	for in != nil || len(queue) > 0 {
		var out chan T
		var next T
		if len(queue) > 0 {
			out, next = m.out, queue[0]
		}
		select {
		case v, ok := <-in:
			if !ok {
				in = nil
				continue
			}
			queue = append(queue, v)
		case out <- next:
			var zero T
			queue[0], queue = zero, queue[1:] // a value that was taken may hold a name
		case <-m.done:
			return
		}
	}
}

func (m mailbox[T]) put(v T) {
	select {
	case m.in <- v:
	case <-m.done:
	}
}

// close ends the mailbox after the receiver has taken the queued values. No put may
// follow.
func (m mailbox[T]) close() { close(m.in) }
