package display

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deadline bounds the time for one frame. The slowest display, with 80
	// letters at 9600 baud, needs 0.1 s.
	deadline = 2 * time.Second
	// retry is the pause before a display that failed is opened again.
	retry = time.Second
	// checkEvery is how often the keeper calls Check. A display that cannot be
	// read is written again at every blindEvery-th check.
	checkEvery = 5 * time.Second
	blindEvery = 12
	// maxStuck bounds the number of calls that have not returned.
	maxStuck = 4
)

var (
	errStuck  = errors.New("the display did not take a frame in time")
	errOpen   = errors.New("the display did not open in time")
	errClosed = errors.New("the display is closed")
)

// Device is an open display: a [Text], or a type of its own that shows frames.
// A Keeper calls its methods one at a time, but may call Close while another
// method hangs.
type Device interface {
	Show(Frame) error
	Check() error   // nil, ErrBlind, or the reason why the device must be opened again
	Refresh() error // writes everything again; used for a device that cannot be read
	Close() error
}

// Keeper makes a display show the latest frame, from a goroutine of its own. It
// closes a display that is missing, unplugged, hanging or reset, opens it again
// until that succeeds, and shows the latest frame. A frame that arrives while
// another is written replaces any frame that waits.
type Keeper struct {
	open    func() (Device, error)
	changed func(error)

	frames chan Frame
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
	stuck  atomic.Int32

	// opening receives the result of an open that has not returned; nil if no
	// open is running. Only run uses it.
	opening chan opened
}

// opened is the result of an open.
type opened struct {
	device Device
	err    error
}

// Keep starts a Keeper. The Keeper calls open until it succeeds, and again after
// each failure; it never has two calls of open at a time. It calls changed from
// one goroutine: with nil when the display works, with the reason when it does
// not. It calls it once for the first attempt and once for each change.
func Keep(open func() (Device, error), changed func(error)) *Keeper {
	k := &Keeper{
		open: open, changed: changed,
		frames: make(chan Frame, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go k.run()
	return k
}

// Show hands over a frame, which replaces any frame that waits. It never blocks.
// Two goroutines must not call it at the same time.
func (k *Keeper) Show(f Frame) {
	for {
		select {
		case k.frames <- f:
			return
		default:
		}
		select {
		case <-k.frames:
		default:
		}
	}
}

// Close shows the latest frame, if the display takes it in time, and closes the
// display.
func (k *Keeper) Close() {
	k.once.Do(func() { close(k.stop) })
	<-k.done
}

func (k *Keeper) run() {
	defer close(k.done)
	defer k.abandon()
	var latest *Frame
	working, first := false, true
	for {
		err := k.keep(&latest, func() {
			if !working {
				working = true
				k.changed(nil)
			}
		})
		if errors.Is(err, errClosed) {
			return
		}
		if working || first {
			k.changed(err)
		}
		working, first = false, false
		select {
		case <-k.stop:
			return
		case <-time.After(retry):
		}
	}
}

// keep opens the display and shows frames until it fails or the keeper is closed.
func (k *Keeper) keep(latest **Frame, working func()) error {
	if k.stuck.Load() >= maxStuck {
		return fmt.Errorf("%w, %d times; the next try waits until one of these calls returns", errStuck, maxStuck)
	}
	dev, err := k.tryOpen()
	if err != nil {
		return err
	}
	defer func() {
		k.within(dev.Close) // it may hang where a write hangs
	}()
	select {
	case f := <-k.frames:
		*latest = &f
	default:
	}
	if *latest != nil {
		f := **latest
		if err := k.within(func() error { return dev.Show(f) }); err != nil {
			return err
		}
	}
	working()
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	for blind := 1; ; {
		select {
		case f := <-k.frames:
			*latest = &f
			err = k.within(func() error { return dev.Show(f) })
		case <-check.C:
			err = k.within(dev.Check)
			if errors.Is(err, ErrBlind) {
				err = nil
				if blind++; blind > blindEvery {
					blind = 1
					err = k.within(dev.Refresh)
				}
			}
		case <-k.stop:
			select {
			case f := <-k.frames:
				k.within(func() error { return dev.Show(f) })
			default:
			}
			return errClosed
		}
		if err != nil {
			return err
		}
	}
}

// tryOpen opens the display. If open does not return in time, the next call of
// tryOpen waits for the same open: two drivers must not write to the same wires.
func (k *Keeper) tryOpen() (Device, error) {
	if k.opening == nil {
		result := make(chan opened, 1)
		k.opening = result
		go func() {
			device, err := k.open()
			result <- opened{device, err}
		}()
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case result := <-k.opening:
		k.opening = nil
		return result.device, result.err
	case <-timer.C:
		return nil, errOpen
	}
}

// abandon closes the display of an open that returns after the keeper has ended.
func (k *Keeper) abandon() {
	if k.opening == nil {
		return
	}
	go func() {
		if result := <-k.opening; result.err == nil {
			result.device.Close()
		}
	}()
}

// within calls f and waits until it returns or the deadline has passed. After the
// deadline f continues in its own goroutine.
func (k *Keeper) within(f func() error) error {
	result := make(chan error, 1)
	k.stuck.Add(1)
	go func() {
		defer k.stuck.Add(-1)
		result <- f()
	}()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return errStuck
	}
}
