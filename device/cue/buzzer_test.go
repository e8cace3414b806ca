package cue

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/physic"
)

const beep = 2 * physic.KiloHertz

func TestBuzzer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := &gpiotest.Pin{N: "GPIO18", L: gpio.High}
		b, err := OpenBuzzer(Output{Pin: pin})
		if err != nil {
			t.Fatal(err)
		}
		after := func(d time.Duration, want gpio.Level) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := pin.Read(); got != want {
				t.Errorf("the buzzer is %v", got)
			}
		}
		after(0, gpio.Low)
		b.Play(Note{beep, 100 * time.Millisecond}, Note{0, 50 * time.Millisecond}, Note{beep, 100 * time.Millisecond})
		after(99*time.Millisecond, gpio.High)
		after(2*time.Millisecond, gpio.Low)
		after(50*time.Millisecond, gpio.High)
		after(100*time.Millisecond, gpio.Low)

		b.Play(Note{beep, time.Second}) // replaces the tune that is playing
		after(500*time.Millisecond, gpio.High)
		b.Play(Note{beep, 10 * time.Millisecond})
		b.Play(Note{beep, 100 * time.Millisecond})
		after(99*time.Millisecond, gpio.High)
		after(2*time.Millisecond, gpio.Low)

		b.Play(Note{beep, time.Hour}) // is cut to 5 s
		after(longest-time.Millisecond, gpio.High)
		after(2*time.Millisecond, gpio.Low)

		b.Play(Note{beep, time.Second})
		after(0, gpio.High)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		after(0, gpio.Low)
	})
}

func TestPiezo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := &gpiotest.Pin{N: "GPIO18"}
		b, err := OpenPiezo(pin)
		if err != nil {
			t.Fatal(err)
		}
		after := func(d time.Duration, duty gpio.Duty) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			pin.Lock()
			defer pin.Unlock()
			if pin.D != duty || duty != 0 && pin.F != beep {
				t.Errorf("sounds with %v at %v", pin.D, pin.F)
			}
		}
		b.Play(Note{beep, time.Second})
		after(0, gpio.DutyHalf)
		after(time.Second, 0)
		b.Close()
	})
}

// The lines of gpioioctl refuse PWM, so opening the buzzer fails.
type plainPin struct{ gpiotest.Pin }

func (*plainPin) PWM(gpio.Duty, physic.Frequency) error { return errors.New("PWM() not implemented") }

func TestBuzzerErrors(t *testing.T) {
	if _, err := OpenPiezo(&plainPin{}); err == nil || err.Error() != "cannot open buzzer: PWM() not implemented" {
		t.Errorf("no PWM: %v", err)
	}
	if _, err := OpenBuzzer(Output{Pin: &busyPin{gpiotest.Pin{N: "GPIO18"}}}); err == nil || err.Error() != "cannot open buzzer: cannot use pin GPIO18: held by another program: line in use" {
		t.Errorf("in use: %v", err)
	}
	calls := 0
	b, err := openBuzzer(func(physic.Frequency) error {
		if calls++; calls > 1 {
			return errors.New("line " + strconv.Itoa(calls))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Play(Note{beep, time.Nanosecond})
	if err := <-b.Errors(); !strings.HasPrefix(err.Error(), "cannot sound: line ") {
		t.Errorf("a buzzer that fails: %v", err)
	}
	b.Close()
}

// kernelPWM checks each write against the rules of drivers/pwm/sysfs.c and of
// pwm_apply_state in core.c.
type kernelPWM struct {
	t       *testing.T
	chip    string
	values  map[string]int64
	written []string
}

func (k *kernelPWM) write(path, text string) error {
	name, err := filepath.Rel(k.chip, path)
	if err != nil {
		return err
	}
	k.written = append(k.written, name+"="+text)
	if name == "export" {
		return os.Mkdir(filepath.Join(k.chip, "pwm"+text), 0o700)
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	next := maps.Clone(k.values)
	next[filepath.Base(name)] = value
	if next["period"] == 0 || next["duty_cycle"] > next["period"] {
		return &fs.PathError{Op: "write", Path: path, Err: syscall.EINVAL}
	}
	k.values = next
	return nil
}

func TestKernelPWM(t *testing.T) {
	k := &kernelPWM{t: t, chip: t.TempDir(), values: make(map[string]int64)}
	p, err := openPWM(k.chip, 1, k.write)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []physic.Frequency{physic.KiloHertz, 4 * physic.KiloHertz, 100 * physic.Hertz} {
		if err := p.PWM(gpio.DutyHalf, f); err != nil {
			t.Fatal(err)
		}
		if period := f.Period().Nanoseconds(); k.values["period"] != period || k.values["duty_cycle"] != period/2 || k.values["enable"] != 1 {
			t.Errorf("%v: %v", f, k.values)
		}
	}
	if err := p.PWM(0, physic.KiloHertz); err != nil || k.values["enable"] != 0 || k.values["duty_cycle"] != 0 {
		t.Errorf("silence: %v, %v", k.values, err)
	}
	if err := p.PWM(gpio.DutyHalf, 0); err == nil {
		t.Error("0 Hz is a wave")
	}
	if err := p.PWM(gpio.DutyMax+1, physic.KiloHertz); err == nil {
		t.Error("more than always is a duty")
	}
	if _, err := openPWM(k.chip, 1, k.write); err != nil { // already exported
		t.Error(err)
	}
	if got := strings.Join(k.written[:5], " "); got != "export=1 pwm1/duty_cycle=0 pwm1/period=1000000 pwm1/duty_cycle=500000 pwm1/enable=1" {
		t.Errorf("written: %s", got)
	}
	if _, err := OpenPWM(filepath.Join(k.chip, "pwmchip7"), 0); err == nil || !strings.HasPrefix(err.Error(), "cannot open PWM channel 0: ") {
		t.Errorf("no chip: %v", err)
	}
}
