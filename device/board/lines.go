package board

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3/gpioioctl"

	"smartkiosk/device/cue"
	"smartkiosk/device/line"
)

// Lines are those of Linux's GPIO character device alone: periph's other
// drivers write to the chip behind the kernel's back, which then cannot tell
// who else has a line.

var finding sync.Mutex

// findLines fills periph's register. periph looks for chips once in a process;
// so it looks when there are some, and they may be opened: at the start of a
// machine a program may come before the rules of udev.
func findLines() error {
	finding.Lock()
	defer finding.Unlock()
	if len(gpioreg.All()) > 0 {
		return nil
	}
	chips, err := filepath.Glob("/dev/gpiochip*")
	if err != nil || len(chips) == 0 {
		return errors.New("cannot find any GPIO line: there is no /dev/gpiochip0")
	}
	for _, chip := range chips {
		f, err := os.Open(chip)
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("cannot use GPIO lines: %w: is this program's user in the group gpio?", err)
		}
		if err != nil {
			return fmt.Errorf("cannot use GPIO lines: %w", err)
		}
		f.Close()
	}
	if _, err := driverreg.Init(); err != nil {
		return fmt.Errorf("cannot use GPIO lines: %w", err)
	}
	return nil
}

// lines finds lines by name, in order.
func lines(names ...string) ([]gpio.PinIO, error) {
	if err := findLines(); err != nil {
		return nil, err
	}
	var found []gpio.PinIO
	for _, name := range names {
		pin, err := line.ByName(name)
		if err != nil {
			byNumber := byNumber(name)
			if byNumber == nil {
				return nil, err
			}
			pin = byNumber
		}
		found = append(found, pin)
	}
	return found, nil
}

// byNumber finds a line of a Pi by its number: Debian's kernel names some by
// what they do at first ("SPI_MISO" is GPIO9), and those of Raspberry Pi's own
// are all named by number.
func byNumber(name string) gpio.PinIO {
	number, err := strconv.Atoi(strings.TrimPrefix(name, "GPIO"))
	if err != nil {
		return nil
	}
	for _, chip := range gpioioctl.Chips {
		if strings.HasPrefix(chip.Label(), "pinctrl-") && number >= 0 && number < chip.LineCount() {
			return chip.ByNumber(number)
		}
	}
	return nil
}

func output(name string, activeLow bool) (cue.Output, error) {
	found, err := lines(name)
	if err != nil {
		return cue.Output{}, err
	}
	return cue.Output{Pin: found[0], ActiveLow: activeLow}, nil
}
