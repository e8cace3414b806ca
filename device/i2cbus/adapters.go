package i2cbus

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Adapter is an I²C bus of this machine.
type Adapter struct {
	Number int
	Name   string // the kernel's name for it; "" if unknown
	Device string // /dev/i2c-N, "" while the module i2c-dev is not loaded
	Screen bool   // the bus belongs to a screen's connector (DDC)

	// Held maps the addresses that drivers of the kernel use to these drivers.
	Held map[uint16]string
}

// Adapters lists the buses of the machine whose root folder is root; it is "/"
// except in tests. A machine without buses is not an error.
func Adapters(root string) ([]Adapter, error) {
	numbers := make(map[int]string)
	for _, pattern := range []string{"dev/i2c-*", "sys/bus/i2c/devices/i2c-*"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "i2c-"))
			if err != nil {
				continue
			}
			if strings.HasPrefix(pattern, "dev") {
				numbers[n] = "/dev/i2c-" + strconv.Itoa(n)
			} else if _, ok := numbers[n]; !ok {
				numbers[n] = ""
			}
		}
	}
	screens, err := screens(root)
	if err != nil {
		return nil, err
	}
	var found []Adapter
	for n, device := range numbers {
		held, err := heldOn(root, n)
		if err != nil {
			return nil, err
		}
		name, err := os.ReadFile(filepath.Join(root, "sys/bus/i2c/devices/i2c-"+strconv.Itoa(n), "name"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		found = append(found, Adapter{
			Number: n, Name: strings.TrimSpace(string(name)), Device: device,
			Screen: screens["i2c-"+strconv.Itoa(n)], Held: held,
		})
	}
	slices.SortFunc(found, func(a, b Adapter) int { return a.Number - b.Number })
	return found, nil
}

// heldOn returns the addresses of a bus that have a driver. The kernel names a
// part by bus and address, for example 1-0068.
func heldOn(root string, bus int) (map[uint16]string, error) {
	prefix := strconv.Itoa(bus) + "-"
	parts, err := filepath.Glob(filepath.Join(root, "sys/bus/i2c/devices", prefix+"*"))
	if err != nil {
		return nil, err
	}
	held := make(map[uint16]string)
	for _, part := range parts {
		address, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(part), prefix), 16, 16)
		if err != nil {
			continue
		}
		driver, err := os.Readlink(filepath.Join(part, "driver"))
		if err != nil {
			continue // announced, but without a driver
		}
		held[uint16(address)] = filepath.Base(driver)
	}
	return held, nil
}

// screens returns the buses that belong to a screen's connector.
func screens(root string) (map[string]bool, error) {
	links, err := filepath.Glob(filepath.Join(root, "sys/class/drm/*/ddc"))
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, link := range links {
		if bus, err := os.Readlink(link); err == nil {
			found[filepath.Base(bus)] = true
		}
	}
	return found, nil
}
