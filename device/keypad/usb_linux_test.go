package keypad

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fakePad stands in for an open event device. Read returns what the test sends,
// as whole or broken structs, and a deadline ends a Read, as it does in the
// kernel.
type fakePad struct {
	name     string
	physical string
	keys     keyset
	in       chan []byte
	closed   chan struct{}
	failures map[string]error

	mu       sync.Mutex
	deadline time.Time
	down     keyset
	grabbed  bool
}

func newFakePad(name string) *fakePad {
	p := &fakePad{name: name, in: make(chan []byte, 64), closed: make(chan struct{})}
	p.keys.add(padDigits[0][:]...)
	p.keys.add(96, 98, 55)
	return p
}

func (p *fakePad) send(events ...inputEvent) {
	var b []byte
	for _, e := range events {
		b = append(b, e.whole()...)
	}
	p.in <- b
}

func press(code uint16) []inputEvent {
	return []inputEvent{{evKey, code, 1}, {evSyn, synReport, 0}, {evKey, code, 0}, {evSyn, synReport, 0}}
}

func (p *fakePad) unplug() { close(p.in) }

func (p *fakePad) Describe() (string, keyset, error) { return p.name, p.keys, p.failures["describe"] }
func (p *fakePad) Physical() string                  { return p.physical }

func (p *fakePad) Down() (keyset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down, p.failures["down"]
}

func (p *fakePad) Grab() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grabbed = true
	return p.failures["grab"]
}

func (p *fakePad) SetReadDeadline(at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = at
	return nil
}

func (p *fakePad) Read(b []byte) (int, error) {
	p.mu.Lock()
	var after <-chan time.Time
	if !p.deadline.IsZero() {
		after = time.After(time.Until(p.deadline))
	}
	p.mu.Unlock()
	select {
	case data, ok := <-p.in:
		if !ok {
			return 0, &os.PathError{Op: "read", Path: "event0", Err: unix.ENODEV}
		}
		return copy(b, data), nil
	case <-after:
		return 0, os.ErrDeadlineExceeded
	case <-p.closed:
		return 0, os.ErrClosed
	}
}

func (p *fakePad) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// reading runs pad.read in virtual time.
func reading(t *testing.T, f func(t *testing.T, file *fakePad, k *Keypad)) {
	synctest.Test(t, func(t *testing.T) {
		file := newFakePad("Test Pad")
		file.down.add(77) // 6 is down when the pad is found
		p := &pad{name: file.name, file: file, codes: DefaultCodes(), chord: newChord(), stuckAfter: DefaultStuckAfter}
		if err := p.seize(); err != nil {
			t.Fatal(err)
		}
		if !file.grabbed {
			t.Fatal("not grabbed")
		}
		k := &Keypad{keys: make(chan rune, keyBuffer), events: make(chan Event, eventBuffer)}
		ended := make(chan error)
		go func() { ended <- p.read(k) }()
		f(t, file, k)
		file.unplug()
		if err := <-ended; err == nil || err.Error() != "unplugged" {
			t.Errorf("reading ended with %v", err)
		}
	})
}

func TestPadKeys(t *testing.T) {
	for code, want := range map[uint16]string{82: "0", 79: "1", 73: "9", 11: "0", 2: "1", 10: "9", 0x200: "0", 0x209: "9",
		96: "#", 28: "#", 55: "*", 83: "*", 14: "*", 98: "L", 15: "L", 74: "R", 12: "R", 78: "V", 69: "", 30: ""} {
		reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
			file.send(press(code)...)
			if got := taken(k); got != want {
				t.Errorf("code %d gives %q, want %q", code, got, want)
			}
			if code == 30 { // a letter
				wantKinds(t, k, Unknown)
			} else {
				wantKinds(t, k)
			}
		})
	}
}

func TestPadCountsEachKeyOnce(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		file.send(inputEvent{evKey, 79, 1}, inputEvent{evKey, 79, 2}, inputEvent{evKey, 79, 2}, inputEvent{evKey, 79, 1}, inputEvent{evKey, 79, 0})
		file.send(inputEvent{evKey, 77, 2}, inputEvent{evKey, 77, 0}, inputEvent{evKey, 77, 1}) // 6 was already down
		whole := inputEvent{evKey, 80, 1}.whole()
		file.in <- whole[:5]
		file.in <- whole[5:]
		if got := taken(k); got != "162" {
			t.Errorf("got %q", got)
		}
	})
}

func TestPadStuck(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		time.Sleep(time.Second)
		file.send(inputEvent{evKey, 79, 1})
		time.Sleep(DefaultStuckAfter - 2*time.Second)
		wantKinds(t, k)
		time.Sleep(time.Second) // 6, which was down at the start
		wantKinds(t, k, Stuck)
		time.Sleep(time.Second) // 1
		if e := wantKinds(t, k, Stuck)[0]; e.Keys != 1 || e.Device != "Test Pad" || e.Err != nil {
			t.Errorf("event %+v", e)
		}
		file.send(inputEvent{evKey, 79, 2}, inputEvent{evKey, 79, 1})
		file.send(press(80)...)
		if got := taken(k); got != "12" {
			t.Errorf("got %q", got)
		}
		file.send(inputEvent{evKey, 77, 0})
		wantKinds(t, k)
		file.send(inputEvent{evKey, 79, 0})
		wantKinds(t, k, Freed)
		file.send(press(79)...)
		if got := taken(k); got != "1" {
			t.Errorf("1 gives %q after it was freed", got)
		}
	})
}

// After the kernel's buffer has overflowed, the lost events stay lost, and no key
// counts twice or is held for ever.
func TestPadDropped(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		file.send(inputEvent{evKey, 79, 1}) // 1, whose release is lost
		synctest.Wait()
		file.mu.Lock()
		file.down = keyset{}
		file.down.add(80) // 2 is down now, since an unknown time
		file.mu.Unlock()
		file.send(inputEvent{evSyn, synDropped, 0}, inputEvent{evKey, 81, 1}, inputEvent{evSyn, synReport, 0})
		file.send(inputEvent{evKey, 80, 0})
		file.send(press(79)...)
		if got := taken(k); got != "11" {
			t.Errorf("got %q", got)
		}
	})
}

// desk is a folder that stands in for /dev/input, with pads in it.
type desk struct {
	t    *testing.T
	dir  string
	mu   sync.Mutex
	pads map[string]*fakePad
}

func newDesk(t *testing.T) *desk {
	return &desk{t: t, dir: filepath.Join(t.TempDir(), "input"), pads: make(map[string]*fakePad)}
}

func (d *desk) plug(node string, p *fakePad) {
	d.t.Helper()
	path := filepath.Join(d.dir, node)
	d.mu.Lock()
	d.pads[path] = p
	d.mu.Unlock()
	if err := errors.Join(os.MkdirAll(d.dir, 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) unplug(node string) {
	d.t.Helper()
	path := filepath.Join(d.dir, node)
	if err := os.Remove(path); err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pads[path].unplug()
	delete(d.pads, path)
}

func (d *desk) open(path string) (padFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.pads[path]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: path, Err: unix.ENODEV}
	}
	return p, p.failures["open"]
}

func (d *desk) start(u USB) *Keypad {
	d.t.Helper()
	k, err := openUSB(u, d.dir, d.open)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { k.Close() })
	return k
}

func wantEvent(t *testing.T, k *Keypad, kind Kind, device, reason string) {
	t.Helper()
	e := <-k.Events()
	if e.Kind != kind || e.Device != device || (e.Err == nil) != (reason == "") || e.Err != nil && !strings.Contains(e.Err.Error(), reason) {
		t.Fatalf("event %+v, want %v %q %q", e, kind, device, reason)
	}
}

// The folder is missing at first, appears with the first pad, disappears with the
// last, and appears again.
func TestHotPlug(t *testing.T) {
	d := newDesk(t)
	k := d.start(USB{})
	wantEvent(t, k, Lost, "", "no number pad is plugged in")
	for _, node := range []string{"event0", "event7"} {
		p := newFakePad("Pad " + node)
		d.plug(node, p)
		wantEvent(t, k, Found, "Pad "+node, "")
		p.send(press(76)...)
		if key := <-k.Keys(); key != '5' {
			t.Fatalf("5 gives %q", key)
		}
		d.unplug(node)
		wantEvent(t, k, Lost, "Pad "+node, "unplugged")
		if err := os.Remove(d.dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhichPads(t *testing.T) {
	d := newDesk(t)
	mouse, keyboard, pad := newFakePad("Mouse"), newFakePad("Big Keyboard"), newFakePad("Num Pad")
	mouse.keys = keyset{}
	keyboard.keys.add(16, 30, 44)
	d.plug("event0", mouse)
	d.plug("event1", keyboard)
	k := d.start(USB{})
	wantEvent(t, k, Lost, "", `cannot use "Big Keyboard": it has letters as well as digits`)
	d.plug("event2", pad)
	wantEvent(t, k, Found, "Num Pad", "")
	k.Close()
	for _, p := range []*fakePad{mouse, keyboard} {
		if p.grabbed {
			t.Errorf("%s was grabbed", p.name)
		}
	}

	e := newDesk(t)
	keyboard, pad = newFakePad("Big Keyboard"), newFakePad("Num Pad")
	keyboard.keys.add(16, 30, 44)
	e.plug("event1", keyboard)
	e.plug("event2", pad)
	k = e.start(USB{Match: "Big"})
	wantEvent(t, k, Found, "Big Keyboard", "")
	k.Close()
	if pad.grabbed {
		t.Error("the pad that was not named was grabbed")
	}
}

func TestPadErrors(t *testing.T) {
	for _, tt := range []struct {
		at   string
		err  error
		want string
	}{
		{"grab", unix.EBUSY, `cannot use "Num Pad": another program has grabbed it`},
		{"open", &os.PathError{Op: "open", Path: "event0", Err: unix.EACCES}, "is this program's user in the group input?"},
		{"open", unix.EIO, "cannot open "},
		{"down", unix.EIO, "cannot use "},
		{"describe", unix.EIO, "cannot use "},
		{"describe", unix.ENODEV, "no number pad is plugged in"},
	} {
		t.Run(fmt.Sprint(tt.at, tt.err), func(t *testing.T) {
			d := newDesk(t)
			p := newFakePad("Num Pad")
			p.failures = map[string]error{tt.at: tt.err}
			d.plug("event0", p)
			k := d.start(USB{})
			wantEvent(t, k, Lost, "", tt.want)
			// After udev sets the node's group, the driver must try the node
			// again.
			d.mu.Lock()
			d.pads[filepath.Join(d.dir, "event0")] = newFakePad("Num Pad")
			d.mu.Unlock()
			if err := os.Chmod(filepath.Join(d.dir, "event0"), 0o640); err != nil {
				t.Fatal(err)
			}
			wantEvent(t, k, Found, "Num Pad", "")
		})
	}
}

func TestOpenUSBErrors(t *testing.T) {
	for _, tt := range []struct {
		u    USB
		dir  string
		want string
	}{
		{USB{Codes: Codes{82: 'A'}}, "/dev/input", "cannot open number pad: cannot read key map: code 82: 'A': a key is one of"},
		{USB{Codes: Codes{82: '0'}}, "/dev/input", "cannot open number pad: cannot read key map: no code for 1"},
		{USB{StuckAfter: -1}, "/dev/input", "cannot open number pad: a time is negative"},
		{USB{}, filepath.Join(t.TempDir(), "none", "input"), "cannot open number pad: cannot watch "},
	} {
		k, err := openUSB(tt.u, tt.dir, openEvdev)
		if err == nil {
			k.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

// A FIFO stands in for the device file. It has the real file type, non-blocking
// reads, deadlines and Close, and carries the bytes of a recorded struct
// input_event.
func TestEvdevFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event0")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openEvdev(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for what, err := range map[string]error{"grab": f.Grab(), "describe": third(f.Describe()), "down": second(f.Down())} {
		if err == nil || !strings.HasSuffix(err.Error(), "is not an input device") {
			t.Errorf("%s: %v", what, err)
		}
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := f.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 24)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline gives %v", err)
	}
	k := &Keypad{keys: make(chan rune, keyBuffer), events: make(chan Event, eventBuffer)}
	p := &pad{file: f, codes: DefaultCodes(), chord: newChord(), stuckAfter: time.Hour, down: make(map[uint16]time.Time)}
	ended := make(chan error)
	go func() { ended <- p.read(k) }()
	if _, err := w.Write(append(inputEvent{evKey, 76, 1}.whole(), inputEvent{evKey, 96, 1}.whole()...)); err != nil {
		t.Fatal(err)
	}
	if a, b := <-k.Keys(), <-k.Keys(); a != '5' || b != '#' {
		t.Errorf("keys %q %q", a, b)
	}
	f.Close()
	if err := <-ended; err == nil {
		t.Error("Close ends reading without an error")
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// The request numbers of <linux/input.h>, printed by a C program on amd64.
func TestRequestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want uint }{
		{eviocgrab, 0x40044590},
		{eviocgname(256), 0x81004506},
		{eviocgbit(evKey, 96), 0x80604521},
		{eviocgkey(96), 0x80604518},
	} {
		if tt.got != tt.want {
			t.Errorf("%#x, want %#x", tt.got, tt.want)
		}
	}
	if want := int(unsafe.Sizeof(unix.Timeval{})) + 8; eventSize != want {
		t.Errorf("an event has %d bytes, want %d", eventSize, want)
	}
}
