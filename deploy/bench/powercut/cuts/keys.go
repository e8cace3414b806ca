package cuts

import "fmt"

// Keys are what the records of an outbox are sealed to: a hub's keys, and that
// of them which the device follows. They are in files beside the outbox, and
// are replaced while records wait in it. What they are is not for this package
// to know; kiosk/protocol/sealkey/sealtest has a kiosk's.
type Keys interface {
	// Rotate makes a key and has the hub open with it too.
	Rotate() error
	// Follow has records sealed to the hub's newest key from now on.
	Follow() error
	// Newest gives the hub's newest key, and the one that is followed, as
	// their numbers from 1 in the order in which they were made; 0 for none.
	// It fails unless both files are whole.
	Newest() (hub, followed uint64, err error)
	// Seal makes a record; it is for store.Append.
	Seal(seq uint64, prev []byte) (record, link []byte, err error)
	// Open opens a record with the hub's keys, and gives its link. It fails
	// unless Seal made it with that number, behind one of the link prev, nil
	// where that is not known.
	Open(seq uint64, prev, record []byte) (link []byte, err error)
}

// OpenKeys gives the keys beside the outbox at a path. A seed makes what else
// there is to know the same for Writer and Checker.
type OpenKeys func(seed uint64, path string) (Keys, error)

// rotationsOfSession is how often keys are replaced while a session appends,
// beside the first time.
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

// rotate makes the hub's key of a number, and has the device follow.
func (l *life) rotate(number uint64) error {
	if err := l.do(Rotate, number, l.keys.Rotate); err != nil {
		return err
	}
	return l.do(Follow, number, l.keys.Follow)
}

// checkKeys holds an outbox's keys to what was promised: each file is as before
// or after a whole number of rotations, those that returned among them.
func checkKeys(k Keys, p promise) error {
	hub, followed, err := k.Newest()
	switch {
	case err != nil:
		return err
	case hub < p.rotated || hub > p.rotating:
		return fmt.Errorf("the hub's newest key is number %d, not %d to %d", hub, p.rotated, p.rotating)
	case followed < p.followed || followed > p.following:
		return fmt.Errorf("key number %d is followed, not %d to %d", followed, p.followed, p.following)
	}
	return nil
}
