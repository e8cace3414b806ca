package keypad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const inputDir = "/dev/input"

// padFile is an open event device.
type padFile interface {
	io.ReadCloser
	SetReadDeadline(time.Time) error
	Describe() (name string, keys keyset, err error) // which keys it has
	Grab() error
	Down() (keyset, error) // which are down
}

// OpenUSB starts reading number pads. That none is there is no error: the first
// event is Found or Lost, and pads may come and go until Close. Errors are
// those of the key map, or that /dev cannot be watched.
func OpenUSB(u USB) (*Keypad, error) { return openUSB(u, inputDir, openEvdev) }

func openUSB(u USB, dir string, open func(path string) (padFile, error)) (*Keypad, error) {
	if u.Codes == nil {
		u.Codes = DefaultCodes()
	}
	if err := u.Codes.check(); err != nil {
		return nil, fmt.Errorf("cannot open number pad: %w", err)
	}
	if u.StuckAfter < 0 {
		return nil, errors.New("cannot open number pad: a time is negative")
	}
	if u.StuckAfter == 0 {
		u.StuckAfter = DefaultStuckAfter
	}
	w, err := watchDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open number pad: %w", err)
	}
	s := &usb{USB: u, dir: dir, open: open, watch: w, pads: make(map[string]*pad), gone: make(chan *pad)}
	return start(s.run), nil
}

// usb looks for pads and reads each in a goroutine of its own.
type usb struct {
	USB
	dir   string
	open  func(path string) (padFile, error)
	watch *dirWatch
	pads  map[string]*pad // by path
	gone  chan *pad
	said  string // the problem last told
}

func (s *usb) run(ctx context.Context, k *Keypad) {
	defer s.watch.close()
	defer func() {
		for _, p := range s.pads {
			p.file.Close()
		}
		for range s.pads {
			<-s.gone
		}
	}()
	for {
		problem := s.look(k)
		var again <-chan time.Time
		if problem != nil {
			// Nothing tells when another program lets go of a pad.
			again = time.After(lookAgain)
		}
		if problem == nil && len(s.pads) == 0 {
			problem = errors.New("no number pad is plugged in")
		}
		if problem == nil || len(s.pads) > 0 {
			s.said = ""
		} else if text := problem.Error(); text != s.said {
			s.said = text
			k.tell(Event{Kind: Lost, Err: problem})
		}
		select {
		case <-ctx.Done():
			return
		case p := <-s.gone:
			delete(s.pads, p.path)
			p.file.Close()
			k.tell(Event{Kind: Lost, Device: p.name, Err: p.err})
			s.said = "no number pad is plugged in"
		case <-s.watch.changed:
		case <-again:
		}
	}
}

// look takes every pad that is not yet taken, and says what kept it from one.
func (s *usb) look(k *Keypad) (problem error) {
	if err := s.watch.arm(); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(s.dir, "event*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if s.pads[path] != nil {
			continue
		}
		p, err := s.take(path)
		if err != nil {
			problem = err
		}
		if p == nil {
			continue
		}
		s.pads[path] = p
		k.tell(Event{Kind: Found, Device: p.name})
		go func() {
			p.err = p.read(k)
			s.gone <- p
		}()
	}
	return problem
}

// take opens and grabs a pad. It answers nil for a device that is none.
func (s *usb) take(path string) (*pad, error) {
	f, err := s.open(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return nil, nil // it went while we looked
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("cannot open %s: %w: is this program's user in the group input?", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	name, keys, err := f.Describe()
	if err == nil && s.wants(name, &keys) {
		p := &pad{path: path, name: name, file: f, codes: s.Codes, stuckAfter: s.StuckAfter}
		if err = p.seize(); err == nil {
			return p, nil
		}
	}
	f.Close()
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil, nil
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("cannot have %q to ourselves: another program has grabbed it: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("cannot use %s: %w", path, err)
	case s.Match == "" && keys.digits():
		return nil, fmt.Errorf("%q has digits, but letters as well: name it in the configuration to use it", name)
	}
	return nil, nil
}

func (s *usb) wants(name string, keys *keyset) bool {
	if s.Match != "" {
		return strings.Contains(name, s.Match) && keys.digits()
	}
	return keys.digits() && !keys.letters()
}
