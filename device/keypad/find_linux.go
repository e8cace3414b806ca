package keypad

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Pad is an event device that has digits.
type Pad struct {
	Path string // /dev/input/eventN
	Name string // as Linux has it, which USB.Match is held against
	// Taken tells whether OpenUSB takes it without a name in USB.Match: it
	// claims no letters.
	Taken bool
}

// Pads lists the devices with digits, grabbing none. Those that cannot be
// looked into are in the error, which names the group that may: some pads may
// have been found all the same.
func Pads() ([]Pad, error) { return pads(inputDir, openEvdev) }

func pads(dir string, open func(path string) (padFile, error)) (found []Pad, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "event*"))
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, path := range paths {
		p, digits, err := look(path, open)
		switch {
		case err != nil:
			refused = append(refused, err)
		case digits:
			found = append(found, p)
		}
	}
	return found, errors.Join(refused...)
}

func look(path string, open func(path string) (padFile, error)) (p Pad, digits bool, err error) {
	f, err := open(path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return p, false, nil // it went while we looked
	case errors.Is(err, os.ErrPermission):
		return p, false, fmt.Errorf("cannot look into %s: %w: is this program's user in the group input?", path, err)
	case err != nil:
		return p, false, fmt.Errorf("cannot look into %s: %w", path, err)
	}
	defer f.Close()
	name, keys, err := f.Describe()
	if err != nil {
		return p, false, fmt.Errorf("cannot look into %s: %w", path, err)
	}
	return Pad{Path: path, Name: name, Taken: (&usb{}).wants(name, &keys)}, keys.digits(), nil
}
