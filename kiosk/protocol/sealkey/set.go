package sealkey

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// set is the content of a hub's file, a JWK Set.
type set struct {
	Keys []Key `json:"keys"` // newest first
}

// Init writes a hub's file with one key, made now. Keys that are there already,
// of an attempt that was cut short, it leaves alone.
func Init(path string, now time.Time) error {
	if _, err := ReadPrivate(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k, err := generate(now)
	if err != nil {
		return err
	}
	return replace(path, set{[]Key{k}}, 0o600)
}

// Rotate makes a key that events are sealed to from now on, and puts it before
// the others of a hub's file. It is newer than they are, whatever the clock says.
func Rotate(path string, now time.Time) (made Key, err error) {
	err = change(path, func(keys []Key) ([]Key, error) {
		for _, k := range keys {
			if after := k.Made.Add(time.Second); now.Before(after) {
				now = after
			}
		}
		if made, err = generate(now); err != nil {
			return nil, err
		}
		return append([]Key{made}, keys...), nil
	})
	return made, err
}

// ErrInUse says that the key to retire is the one that events are sealed to.
var ErrInUse = errors.New("events are sealed to it: make a new key before")

// Retire takes the key with an identifier out of a hub's file. There is no way
// back but a copy of the file: nothing else opens what was sealed to it.
func Retire(path, id string) error {
	return change(path, func(keys []Key) ([]Key, error) {
		switch i := slices.IndexFunc(keys, func(k Key) bool { return k.KeyID == id }); i {
		case -1:
			return nil, fmt.Errorf("there is no sealing key %s", id)
		case 0:
			return nil, ErrInUse
		default:
			return slices.Delete(keys, i, i+1), nil
		}
	})
}

// change replaces the keys of a hub's file by what f makes of them, while
// nobody else does.
func change(path string, f func(keys []Key) ([]Key, error)) error {
	unlock, err := lock(path)
	if err != nil {
		return fmt.Errorf("cannot change sealing keys: %w", err)
	}
	defer unlock()
	keys, err := ReadPrivate(path)
	if err != nil {
		return err
	}
	if keys, err = f(keys); err != nil {
		return fmt.Errorf("cannot change sealing keys: %w", err)
	}
	return replace(path, set{keys}, 0o600)
}
