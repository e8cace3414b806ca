package cue

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"smartkiosk/device/line"
)

// housing is a line with a switch at its end. When its chip is lost it behaves
// like gpioioctl's lines: Read returns low, and a wait returns at once.
type housing struct {
	gpiotest.Pin
	open, lost atomic.Bool
}

func newHousing() *housing {
	return &housing{Pin: gpiotest.Pin{N: "GPIO24", EdgesChan: make(chan gpio.Level, 16)}}
}

func (h *housing) set(open bool) {
	h.open.Store(open)
	h.EdgesChan <- gpio.Level(open)
}

func (h *housing) In(pull gpio.Pull, edge gpio.Edge) error {
	if h.lost.Load() {
		return syscall.ENODEV
	}
	return h.Pin.In(pull, edge)
}

func (h *housing) Read() gpio.Level { return gpio.Level(h.open.Load() && !h.lost.Load()) }

func (h *housing) WaitForEdge(d time.Duration) bool {
	return !h.lost.Load() && h.Pin.WaitForEdge(d)
}

func TestTamper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHousing()
		tamper, err := OpenTamper(h)
		if err != nil {
			t.Fatal(err)
		}
		after := func(d time.Duration, want ...TamperState) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			for i := 0; ; i++ {
				select {
				case got := <-tamper.States():
					if i >= len(want) || got != want[i] {
						t.Errorf("state %v, want %v", got, want)
					}
					continue
				default:
				}
				if i < len(want) {
					t.Errorf("nothing more, want %v", want[i:])
				}
				return
			}
		}
		after(time.Second, Unopened)
		h.set(true)
		after(200*time.Millisecond, Opened)
		for range 5 { // the switch bounces
			h.set(false)
			time.Sleep(5 * time.Millisecond)
			h.set(true)
			time.Sleep(5 * time.Millisecond)
		}
		after(time.Second)
		h.set(false)
		after(200*time.Millisecond, Unopened)
		h.open.Store(true) // without an edge
		after(1500*time.Millisecond, Opened)
		after(time.Hour)

		h.lost.Store(true)
		after(3*time.Second, Unknown)
		h.open.Store(false)
		h.lost.Store(false)
		after(3*time.Second, Unopened)

		began := time.Now()
		tamper.Close()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestTamperOfALineThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHousing()
		tamper, err := OpenTamper(h)
		if err != nil {
			t.Fatal(err)
		}
		h.lost.Store(true) // before the first reading
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := <-tamper.States(); got != Unknown {
			t.Errorf("a line that is lost reads %v", got)
		}
		tamper.Close()
	})
	if _, err := OpenTamper(&busyPin{gpiotest.Pin{N: "GPIO24"}}); !errors.Is(err, line.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
}
