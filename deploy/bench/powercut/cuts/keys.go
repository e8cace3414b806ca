package cuts

import "fmt"

// Keys are the keys to which an outbox's records are sealed: a hub's keys, and
// the key that the device uses. They are in files next to the outbox and are
// replaced while records wait. This package does not know their format;
// kiosk/protocol/sealkey/sealtest implements the interface for a kiosk.
type Keys interface {
	// Rotate creates a key with which the hub can open records from now on.
	Rotate() error
	// Follow makes the device seal to the hub's newest key from now on.
	Follow() error
	// Newest returns the numbers of the hub's newest key and of the key that
	// the device uses, counted from 1 in order of creation; 0 means no key.
	// It fails if a file is incomplete.
	Newest() (hub, followed uint64, err error)
	// Seal returns a record for store.Append.
	Seal(seq uint64, prev []byte) (record, link []byte, err error)
	// Open opens a record with the hub's keys and returns its link. It fails
	// if the record has another number, or does not follow a record with the
	// link prev; nil means that the previous link is unknown.
	Open(seq uint64, prev, record []byte) (link []byte, err error)
}

// OpenKeys opens the keys next to the outbox at path. With the same seed Writer
// and Checker get the same random choices.
type OpenKeys func(seed uint64, path string) (Keys, error)

// rotationsOfSession is how often a session replaces keys after the first time.
const rotationsOfSession = 4

// rotates replaces the keys of a session.
func (l *life) rotates(again bool) error {
	first := uint64(2)
	if again {
		first += rotationsOfSession
	}
	for n := first; n < first+rotationsOfSession; n++ {
		if err := l.rotate(n); err != nil {
			return err
		}
	}
	return nil
}

// rotate creates the hub's key of a number and makes the device use it.
func (l *life) rotate(number uint64) error {
	if err := l.do(Rotate, number, l.keys.Rotate); err != nil {
		return err
	}
	return l.do(Follow, number, l.keys.Follow)
}

// checkKeys compares an outbox's keys with the promises. Each file must be as
// after a whole number of rotations, and include the rotations that returned.
func checkKeys(k Keys, p promise) error {
	hub, followed, err := k.Newest()
	switch {
	case err != nil:
		return err
	case hub < p.rotated || hub > p.rotating:
		return fmt.Errorf("the hub's newest key is number %d, not %d to %d", hub, p.rotated, p.rotating)
	case followed < p.followed || followed > p.following:
		return fmt.Errorf("the device uses key number %d, not %d to %d", followed, p.followed, p.following)
	}
	return nil
}
