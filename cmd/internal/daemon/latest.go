package daemon

// latest is a channel of capacity 1 that holds the newest value until it is received.
type latest[T any] chan T

// set replaces what has not been received yet. One goroutine calls it at a time.
func (l latest[T]) set(value T) {
	select {
	case <-l:
	default:
	}
	l <- value
}
