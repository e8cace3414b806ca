package line

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

func TestByName(t *testing.T) {
	if _, err := ByName("GPIO5"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "this machine has no GPIO lines") {
		t.Errorf("without any lines: %v", err)
	}
	for i := range 3 {
		name := fmt.Sprintf("GPIO%d", i)
		if err := gpioreg.Register(&gpiotest.Pin{N: name, Num: i}); err != nil {
			t.Fatal(err)
		}
		defer gpioreg.Unregister(name)
	}
	if err := gpioreg.RegisterAlias("P1_3", "GPIO2"); err != nil {
		t.Fatal(err)
	}
	defer gpioreg.Unregister("P1_3")

	for _, tt := range []struct {
		names, want string
		is          error
	}{
		{"GPIO0 GPIO1 P1_3", "", nil},
		{"GPIO0 GPIO99", "cannot find pin GPIO99: this machine has GPIO0 to GPIO2: no such line", ErrUnknown},
		{" GPIO0", "cannot find pin: it has no name: no such line", ErrUnknown},
		{"GPIO0 GPIO1 GPIO0", "cannot use pin GPIO0: it is already used as GPIO0", nil},
		{"GPIO2 P1_3", "cannot use pin P1_3: it is already used as GPIO2", nil},
	} {
		var pins []gpio.PinIO
		var err error
		for _, name := range strings.Split(tt.names, " ") {
			var pin gpio.PinIO
			if pin, err = ByName(name); err != nil {
				break
			}
			pins = append(pins, pin)
		}
		if err == nil {
			err = Distinct(pins...)
		}
		if got := fmt.Sprint(err); tt.want != "" && (got != tt.want || tt.is != nil && !errors.Is(err, tt.is)) {
			t.Errorf("%q: %s, want %s", tt.names, got, tt.want)
		}
		if tt.want == "" && (err != nil || len(pins) != 3 || pins[2].Name() != "P1_3") {
			t.Errorf("%q: %v, %v", tt.names, pins, err)
		}
	}
}

// held is a line that behaves as in gpioioctl: it knows its holder, and has a
// Close method.
type held struct {
	gpiotest.Pin
	by     string
	closed bool
}

func (h *held) Consumer() string { return h.by }
func (h *held) Close()           { h.closed = true }

func TestClaim(t *testing.T) {
	busy := fmt.Errorf("line_request ioctl: %w", syscall.EBUSY)
	pin := &held{Pin: gpiotest.Pin{N: "GPIO4"}}
	for _, tt := range []struct {
		by   string
		err  error
		want string
		is   error
	}{
		{"", nil, "<nil>", nil},
		{"", busy, "cannot use pin GPIO4: held by another program: line in use", ErrInUse},
		{"w1-gpio", busy, "cannot use pin GPIO4: held by w1-gpio: line in use", ErrInUse},
		{"", syscall.ENODEV, "cannot use pin GPIO4: its chip is gone: line lost", ErrLost},
		{"", errors.New("no pulls"), "cannot use pin GPIO4: no pulls", nil},
	} {
		pin.by = tt.by
		if err := Claim(pin, tt.err); fmt.Sprint(err) != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	Release(pin)
	Release(&gpiotest.Pin{}) // this pin has no Close
	if !pin.closed {
		t.Error("the line is not given back")
	}
}

// strict records the timeouts of its waits. lost makes each wait end at once, as
// gpioioctl's waits do when the chip is gone.
type strict struct {
	gpiotest.Pin
	waits []time.Duration
	lost  int
}

func (s *strict) WaitForEdge(d time.Duration) bool {
	s.waits = append(s.waits, d)
	if s.lost > 0 {
		s.lost--
		return false
	}
	return s.Pin.WaitForEdge(d)
}

func TestWait(t *testing.T) {
	for _, tt := range []struct {
		name  string
		d     time.Duration
		edge  bool
		lost  int
		waits []time.Duration
		err   error
	}{
		{"none", time.Second, false, 0, []time.Duration{time.Second}, nil},
		{"one", time.Second, true, 0, []time.Duration{time.Second}, nil},
		{"zero is not for ever", 0, false, 0, []time.Duration{time.Millisecond}, nil},
		{"nor is a negative one", -1, false, 0, []time.Duration{time.Millisecond}, nil},
		{"a long one is cut", time.Hour, false, 0, []time.Duration{time.Minute}, nil},
		{"interrupted twice", time.Second, true, 2, []time.Duration{time.Second, time.Second, time.Second}, nil},
		{"lost", time.Second, false, 9, []time.Duration{time.Second, time.Second, time.Second}, ErrLost},
	} {
		synctest.Test(t, func(t *testing.T) {
			pin := &strict{Pin: gpiotest.Pin{N: "GPIO4", EdgesChan: make(chan gpio.Level, 1)}, lost: tt.lost}
			if tt.edge {
				pin.EdgesChan <- gpio.Low
			}
			edge, err := Wait(t.Context(), pin, tt.d)
			if edge != tt.edge || !errors.Is(err, tt.err) || fmt.Sprint(pin.waits) != fmt.Sprint(tt.waits) {
				t.Errorf("%s: %v %v after %v", tt.name, edge, err, pin.waits)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if edge, err := Wait(ctx, &strict{lost: 9}, time.Hour); edge || err != nil {
		t.Errorf("after the end: %v %v", edge, err)
	}
}
