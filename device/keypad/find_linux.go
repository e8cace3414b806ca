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
	Name string // the name that Linux reports; USB.Match is compared with it
	// Taken reports whether OpenUSB uses the device when USB.Match is empty: it
	// has no letters.
	Taken bool
}

// Pads lists the devices with digits. It grabs none. The error names the devices
// that could not be examined and, for a missing permission, the group that may
// read them. Pads may be returned together with an error.
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
		return p, false, nil // it was unplugged meanwhile
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
