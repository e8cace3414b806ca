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
	Describe() (name string, keys keyset, err error) // the keys that it has
	Physical() string                                // where it is plugged in, "usb-0000:01:00.0-1.2/input0"; "" if unknown
	Grab() error
	Down() (keyset, error) // the keys that are down
}

// OpenUSB starts to read number pads. Pads may be plugged in and unplugged until
// Close; the first event is Found or Lost. OpenUSB fails if the configuration is
// wrong, or if it cannot watch /dev.
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
	if err := u.Timing.check(); err != nil {
		return nil, fmt.Errorf("cannot open number pad: %w", err)
	}
	if u.StuckAfter == 0 {
		u.StuckAfter = DefaultStuckAfter
	}
	w, err := watchDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open number pad: %w", err)
	}
	s := &usb{USB: u, dir: dir, open: open, watch: w, pads: make(map[string]*pad), chords: make(map[string]*chord), gone: make(chan *pad)}
	return start(u.Timing, s.run), nil
}

// usb finds pads and reads each in its own goroutine.
type usb struct {
	USB
	dir   string
	open  func(path string) (padFile, error)
	watch *dirWatch
	pads  map[string]*pad // by path
	gone  chan *pad
	said  string // the problem that was reported last

	chords map[string]*chord // by the plug: Physical without the part from "/input"
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
		problem := s.grabAll(k)
		var again <-chan time.Time
		if problem != nil {
			// There is no notification when another program releases a pad.
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
			p.chord.forget(p)
			p.file.Close()
			k.tell(Event{Kind: Lost, Device: p.name, Err: p.err})
			s.said = "no number pad is plugged in"
		case <-s.watch.changed:
		case <-again:
		}
	}
}

// grabAll grabs every pad that it has not grabbed yet. It returns why it could not
// grab one.
func (s *usb) grabAll(k *Keypad) (problem error) {
	if err := s.watch.arm(); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(s.dir, "event*"))
	if err != nil {
		return err
	}
	// The second round finds the other event devices of pads from the first.
	for _, path := range append(paths, paths...) {
		if s.pads[path] != nil {
			continue
		}
		p, err := s.grab(path)
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

// grab opens and grabs an event device. It returns nil if the device is not a
// number pad and not part of one.
func (s *usb) grab(path string) (*pad, error) {
	f, err := s.open(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return nil, nil // it has just been unplugged
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("cannot open %s: %w: is this program's user in the group input?", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	name, keys, err := f.Describe()
	plug, _, _ := strings.Cut(f.Physical(), "/input")
	part := plug != "" && s.chords[plug] != nil && keys.any() && (s.Match != "" || !keys.letters())
	if err == nil && (part || s.wants(name, &keys)) {
		p := &pad{path: path, name: name, file: f, codes: s.Codes, letters: keys.letters(), stuckAfter: s.StuckAfter, chord: newChord()}
		if s.chords[plug] != nil {
			p.chord = s.chords[plug]
		} else if plug != "" {
			s.chords[plug] = p.chord
		}
		if err = p.seize(); err == nil {
			return p, nil
		}
	}
	f.Close()
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil, nil
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("cannot use %q: another program has grabbed it: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("cannot use %s: %w", path, err)
	case s.Match == "" && keys.digits():
		return nil, fmt.Errorf("cannot use %q: it has letters as well as digits, so match must name it", name)
	}
	return nil, nil
}

func (s *usb) wants(name string, keys *keyset) bool {
	if s.Match != "" {
		return strings.Contains(name, s.Match) && keys.digits()
	}
	return keys.digits() && !keys.letters()
}
