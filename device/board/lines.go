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

// Only lines of Linux's GPIO character device are used. periph's other drivers
// write to the chip without the kernel, so the kernel could not tell which
// program holds a line.

var finding sync.Mutex

// findLines fills periph's register. periph looks for chips only once per
// process, so findLines first checks that there are chips and that they can be
// opened: when the machine starts, this program may run before udev has set their
// group.
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

// lines returns the lines with these names, in order.
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

// byNumber returns a line of a Pi by its number. Debian's kernel names some lines
// by their first function ("SPI_MISO" is GPIO9); Raspberry Pi's own kernels name
// all by number.
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
