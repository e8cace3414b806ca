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

// Init writes a hub's file with one key, made now. If the file exists already, from an
// attempt that was interrupted, Init does not change it.
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

// Rotate makes a new key and puts it first in a hub's file. Events are sealed to it from
// now on. Its time is later than that of the other keys, even if the clock was set back.
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

// ErrInUse is the error of Retire for the key that events are sealed to.
var ErrInUse = errors.New("events are sealed to it: make a new key before")

// Retire removes the key with an identifier from a hub's file. Events that were sealed to
// it can never be opened again, except with a copy of the file.
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

// change replaces the keys of a hub's file with the result of f. A lock prevents concurrent
// changes.
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
