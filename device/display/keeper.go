package display

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deadline is how long one frame may take. The slowest part, 80 letters
	// at 9600 baud, needs 0.1 s.
	deadline = 2 * time.Second
	// retry is how long to wait before a part that failed is opened again.
	retry = time.Second
	// checkEvery is how often a part is asked whether it is still there;
	// every blindEvery-th time one that cannot be asked is written anew.
	checkEvery = 5 * time.Second
	blindEvery = 12
	// maxStuck bounds the calls that never returned.
	maxStuck = 4
)

var (
	errStuck  = errors.New("the display did not take a frame in time")
	errClosed = errors.New("the display is closed")
)

// Device is what a Keeper keeps: a [Text], or something that shows frames by
// its own means. The methods but Close are called one at a time; Close may be
// called while another has not returned.
type Device interface {
	Show(Frame) error
	Check() error   // nil, ErrBlind, or why the device must be opened again
	Refresh() error // for a blind device: show everything anew
	Close() error
}

// Keeper keeps a display showing the latest frame. One goroutine of its own
// writes; a display that is missing, pulled, stuck or reset is closed, opened
// again until that succeeds, and then shown the latest frame. Frames that come
// while one is written replace each other.
type Keeper struct {
	open    func() (Device, error)
	changed func(error)

	frames chan Frame
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
	stuck  atomic.Int32
}

// Keep starts to keep the display that open opens. An open that takes longer
// than a few seconds is called again before it returns, and what it opens is
// closed. changed is called from one
// goroutine, with nil when the display works and with the reason when it no
// longer does: once for each change, and once for the first attempt.
func Keep(open func() (Device, error), changed func(error)) *Keeper {
	k := &Keeper{
		open: open, changed: changed,
		frames: make(chan Frame, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go k.run()
	return k
}

// Show has a frame shown as soon as the display can, instead of any frame that
// waits. It never blocks. It must not be called by two goroutines at a time.
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

// Close has the latest frame shown, if the display is there and takes it in
// time, and closes it.
func (k *Keeper) Close() {
	k.once.Do(func() { close(k.stop) })
	<-k.done
}

func (k *Keeper) run() {
	defer close(k.done)
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

// keep opens the display and keeps it until it fails or the keeper is closed.
func (k *Keeper) keep(latest **Frame, working func()) error {
	if k.stuck.Load() >= maxStuck {
		return fmt.Errorf("%w, %d times; it is left alone until one of them ends", errStuck, maxStuck)
	}
	dev, err := k.opened()
	if err != nil {
		return err
	}
	defer func() {
		k.within(dev.Close) // it may hang where a write does
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

// opened opens the display; one that opens too late is closed again.
func (k *Keeper) opened() (Device, error) {
	var mu sync.Mutex
	var dev Device
	late := false
	err := k.within(func() error {
		d, err := k.open()
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			return err
		}
		if late {
			return d.Close()
		}
		dev = d
		return nil
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil && dev != nil { // it came at the very last moment
		go dev.Close()
	}
	late = true
	return dev, err
}

// within calls f and gives it the deadline. After that f is on its own.
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
