package cue

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"smartkiosk/device/line"
)

// busyPin is a line that another program holds.
type busyPin struct{ gpiotest.Pin }

func (*busyPin) Out(gpio.Level) error { return fmt.Errorf("line_request ioctl: %w", syscall.EBUSY) }
func (*busyPin) In(gpio.Pull, gpio.Edge) error {
	return fmt.Errorf("line_request ioctl: %w", syscall.EBUSY)
}

func TestLamps(t *testing.T) {
	green, yellow, red := &gpiotest.Pin{N: "G", L: gpio.High}, &gpiotest.Pin{N: "Y"}, &gpiotest.Pin{N: "R", L: gpio.High}
	l := Lamps{Green: Output{Pin: green}, Yellow: Output{Pin: yellow, ActiveLow: true}, Red: Output{Pin: red}}
	levels := func() string {
		s := ""
		for _, pin := range []*gpiotest.Pin{green, yellow, red} {
			s += map[gpio.Level]string{gpio.Low: "0", gpio.High: "1"}[pin.Read()]
		}
		return s
	}
	if err := l.Open(); err != nil || levels() != "010" {
		t.Errorf("off is %s, %v", levels(), err)
	}
	for i, want := range []string{"110", "000", "011", "101"} {
		if err := l.Show(i == 0 || i == 3, i == 1 || i == 3, i == 2 || i == 3); err != nil || levels() != want {
			t.Errorf("%d: %s, %v, want %s", i, levels(), err, want)
		}
	}

	l.Yellow = Output{}
	if err := l.Show(true, true, false); err != nil || levels() != "100" {
		t.Errorf("without yellow: %s, %v", levels(), err)
	}
	l.Yellow = Output{Pin: &busyPin{gpiotest.Pin{N: "GPIO7"}}}
	if err := l.Show(false, true, true); !errors.Is(err, line.ErrInUse) || err.Error() != "cannot use pin GPIO7: held by another program: line in use" {
		t.Errorf("a pin in use: %v", err)
	}
	if levels() != "001" {
		t.Errorf("one lamp in use keeps others from being shown: %s", levels())
	}
}
