package cue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// pwmChannel is a channel of Linux's own PWM (Documentation/driver-api/pwm.rst,
// "Using PWMs with the sysfs interface"). It works for users other than root;
// periph's lines over the GPIO character device have no PWM.
type pwmChannel struct {
	dir   string // …/pwmchip0/pwm1
	write func(path, text string) error
}

// OpenPWM takes a channel of a chip, for example
// OpenPWM("/sys/class/pwm/pwmchip0", 1). On a Raspberry Pi the overlay pwm
// (dtoverlay=pwm,pin=18,func=2) makes the chip.
//
// The kernel keeps the last settings when a process ends: a sounder that sounds
// then goes on until it is opened again.
func OpenPWM(chip string, channel int) (PWM, error) { return openPWM(chip, channel, writeExisting) }

func openPWM(chip string, channel int, write func(path, text string) error) (PWM, error) {
	p := pwmChannel{dir: filepath.Join(chip, "pwm"+strconv.Itoa(channel)), write: write}
	// A channel stays exported after the process that exported it has ended.
	if _, err := os.Stat(p.dir); errors.Is(err, fs.ErrNotExist) {
		if err := write(filepath.Join(chip, "export"), strconv.Itoa(channel)); err != nil {
			return nil, fmt.Errorf("cannot open PWM channel %d: %w", channel, err)
		}
	}
	return p, nil
}

// PWM implements PWM. The order of the writes matters: the kernel refuses a duty
// cycle longer than the period, and a period shorter than the duty cycle (both in
// ns). While a channel has no period, the kernel refuses everything except
// setting one (pwm_apply_state in drivers/pwm/core.c); then there is no duty
// cycle to reset, so that error is ignored.
func (p pwmChannel) PWM(duty gpio.Duty, f physic.Frequency) error {
	if !duty.Valid() || f <= 0 {
		return fmt.Errorf("cannot use PWM: %v at %v is no wave", duty, f)
	}
	period, enable := f.Period().Nanoseconds(), "1"
	if duty == 0 {
		enable = "0"
	}
	if err := p.write(filepath.Join(p.dir, "duty_cycle"), "0"); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("cannot use PWM: %w", err)
	}
	settings := [][2]string{
		{"period", strconv.FormatInt(period, 10)},
		{"duty_cycle", strconv.FormatInt(period*int64(duty)/int64(gpio.DutyMax), 10)},
		{"enable", enable},
	}
	for _, s := range settings {
		if err := p.write(filepath.Join(p.dir, s[0]), s[1]); err != nil {
			return fmt.Errorf("cannot use PWM: %w", err)
		}
	}
	return nil
}

// writeExisting writes to an existing file of sysfs.
func writeExisting(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
