//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/host/v3/gpioioctl"
)

type padFinding struct {
	Name   string `json:"name"`
	Device string `json:"device"`
	Named  bool   `json:"named"` // it has letters too, so the wiring file must name it
}

type chipFinding struct {
	Device string              `json:"device"` // /dev/gpiochip0
	Label  string              `json:"label"`
	Lines  int                 `json:"lines"`
	Held   map[string][]string `json:"held"` // names of the lines in use, by consumer
}

type pwmFinding struct {
	Chip     string `json:"chip"` // /sys/class/pwm/pwmchip0
	Channels int    `json:"channels"`
}

type watchdogFinding struct {
	Device string `json:"device"` // /dev/watchdog0
	Name   string `json:"name"`
	State  string `json:"state"` // "active": a program has it open; "inactive"; "" if the kernel does not say
}

func (m machine) findReaders(f *findings) {
	names, err := m.readers()
	if err != nil {
		f.hide(cardReaders, fmt.Errorf("%w: is pcscd installed (sudo apt install pcscd), and may this user use it?", err))
	}
	f.Readers = append([]string{}, names...)
}

func (m machine) findPads(f *findings) {
	f.Pads = []padFinding{}
	pads, err := m.pads()
	if err != nil {
		f.hide(numberPads, err)
	}
	for _, p := range pads {
		f.Pads = append(f.Pads, padFinding{Name: p.Name, Device: p.Path, Named: !p.Taken})
	}
}

func (m machine) findChips(f *findings) {
	f.GPIO = []chipFinding{}
	devices, _ := filepath.Glob(m.path("dev/gpiochip*")) // the pattern is valid
	for _, d := range devices {
		if !m.allowed(f, gpioChips, "/dev/"+filepath.Base(d), "gpio") {
			return
		}
	}
	if len(devices) > 0 {
		f.GPIO = append(f.GPIO, m.chips()...)
	}
}

// chips returns the GPIO chips with the consumers of their lines, as the kernel reports
// them.
func chips() []chipFinding {
	if _, err := driverreg.Init(); err != nil { // periph could not load its drivers
		return nil
	}
	var found []chipFinding
	for _, c := range gpioioctl.Chips {
		chip := chipFinding{Device: c.Path(), Label: c.Label(), Lines: c.LineCount(), Held: make(map[string][]string)}
		for _, l := range c.Lines() {
			if by := l.Consumer(); by != "" {
				name := l.Name()
				if name == "" {
					name = fmt.Sprintf("line %d", l.Number())
				}
				chip.Held[by] = append(chip.Held[by], name)
			}
		}
		found = append(found, chip)
	}
	return found
}

func (m machine) findPWM(f *findings) {
	f.PWM = []pwmFinding{}
	chips, _ := filepath.Glob(m.path("sys/class/pwm/pwmchip*")) // the pattern is valid
	for _, c := range chips {
		name := filepath.Base(c)
		n, err := strconv.Atoi(m.read(filepath.Join("sys/class/pwm", name, "npwm")))
		if err == nil {
			f.PWM = append(f.PWM, pwmFinding{"/sys/class/pwm/" + name, n})
		}
	}
	if len(f.PWM) == 0 && m.isPi() {
		f.advise("%s", m.enable("PWM, for a buzzer without a tone of its own", "dtoverlay=pwm,pin=18,func=2", "pwm"))
	}
}

func (m machine) findWatchdogs(f *findings) {
	f.Watchdogs = []watchdogFinding{}
	dogs, _ := filepath.Glob(m.path("sys/class/watchdog/watchdog*")) // the pattern is valid
	for _, d := range dogs {
		name := filepath.Base(d)
		f.Watchdogs = append(f.Watchdogs, watchdogFinding{
			Device: "/dev/" + name, Name: m.read(filepath.Join("sys/class/watchdog", name, "identity")),
			State: m.read(filepath.Join("sys/class/watchdog", name, "state")),
		})
	}
	if len(dogs) == 0 && m.isPi() {
		f.advise("%s", m.enable("The hardware watchdog", "dtparam=watchdog=on", "watchdog=on"))
	}
}

// model returns the machine's name in the device tree.
func (m machine) model() string { return m.read("proc/device-tree/model") }

func (m machine) isPi() bool { return strings.HasPrefix(m.model(), "Raspberry Pi") }

// bootFile returns the path of a file of the Pi's boot partition on this system.
func (m machine) bootFile(name string) string {
	if _, err := os.Stat(m.path("boot/firmware", name)); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(m.path("boot", name)); err == nil {
			return "/boot/" + name
		}
	}
	return "/boot/firmware/" + name
}

// enable returns how to switch on an interface that was not found: with a line of
// config.txt, or with a restart if one of the settings is in the file already.
func (m machine) enable(what, line string, settings ...string) string {
	file := m.bootFile("config.txt")
	for text := range strings.Lines(m.read(file)) {
		text, _, _ = strings.Cut(strings.TrimSpace(text), "#")
		text = strings.TrimPrefix(strings.TrimPrefix(text, "dtparam="), "dtoverlay=")
		for setting := range strings.SplitSeq(text, ",") {
			if setting = strings.TrimSpace(setting); slices.Contains(settings, setting) {
				return fmt.Sprintf("%s: %s has %s, but it is not there: restart; or the line is in a section for another model", what, file, setting)
			}
		}
	}
	return fmt.Sprintf("%s: not switched on: add the line %s to %s and restart", what, line, file)
}
