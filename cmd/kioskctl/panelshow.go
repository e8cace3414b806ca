//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/board"
	"smartkiosk/device/i2cbus"
)

// errPart means that a configured part has a fault. The fault is printed.
var errPart = errors.New("not every part is as it should be")

// panelReport is what "kioskctl panel --json" prints.
type panelReport struct {
	File   string       `json:"file"`
	Name   string       `json:"name"`
	Kioskd bool         `json:"kioskd_runs"`
	Parts  []partReport `json:"parts"`
}

type partReport struct {
	Section string `json:"section"`
	About   string `json:"about"` // how it is wired
	State   string `json:"state"`
	Why     string `json:"why"` // reason for the state, and advice
}

// The states of a part.
const (
	there  = "there"  // it answers, or the kernel lists it
	inUse  = "in use" // kioskd has its lines
	unseen = "unseen" // no fault is known, but the part cannot report its presence
	fault  = "fault"  // it is missing, or cannot be used
)

func (p program) panelShow(o panelOptions) error {
	w, err := o.load()
	if err != nil {
		return err
	}
	report := panelReport{File: w.file, Name: w.Name, Kioskd: w.kioskdRuns()}
	faults := false
	for _, part := range w.Parts() {
		state, why := p.machine.look(part)
		faults = faults || state == fault
		report.Kioskd = report.Kioskd || state == inUse // the socket of that kioskd may be elsewhere
		report.Parts = append(report.Parts, partReport{Section: part.Section(), About: part.Describe().Wiring, State: state, Why: why})
	}
	if o.json {
		err = p.printJSON(report)
	} else {
		_, err = fmt.Fprint(p.stdout, report)
	}
	if err == nil && faults {
		err = errPart
	}
	return err
}

// String returns the report as text.
func (r panelReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %s\n%-16s %s\n", "Panel", r.Name, "", r.File)
	kioskd := "does not run"
	if r.Kioskd {
		kioskd = "runs"
	}
	fmt.Fprintf(&b, "%-16s %s\n", "kioskd", kioskd)
	for _, p := range r.Parts {
		fmt.Fprintf(&b, "%-16s %s\n%-16s %s: %s\n", p.Section, p.About, "", p.State, p.Why)
	}
	return b.String()
}

// look returns the state of a part and the reason. It does not open the part.
func (m machine) look(part board.Part) (state, why string) {
	if d, ok := part.(board.OnBus); ok {
		device, address := d.Device()
		if address == 0 {
			return m.lookAtPort(device)
		}
		return m.lookAtAddress(device, address)
	}
	switch d := part.(type) {
	case *board.USB:
		return m.lookForPad(d)
	case *board.Piezo:
		if m.read(filepath.Join(d.Chip, "npwm")) == "" {
			return fault, fmt.Sprintf("there is no %s: on a Pi, config.txt needs dtoverlay=pwm,pin=18,func=2 or the like", d.Chip)
		}
		return unseen, d.Chip + " is there"
	case *board.Watchdog:
		return m.lookForWatchdog(d)
	}
	return lookAtLines(part)
}

func (m machine) lookAtAddress(device string, address uint16) (state, why string) {
	bus, err := m.openBus(device)
	if err != nil {
		return fault, err.Error()
	}
	defer bus.Close()
	if err := i2cbus.Ask(bus, address); errors.Is(err, i2cbus.ErrStuck) {
		return fault, fmt.Sprintf("%s: %v", device, err)
	} else if err != nil {
		return fault, fmt.Sprintf("nothing answers at %#x of %s%s", address, device, others(bus))
	}
	return there, fmt.Sprintf("%#x answers", address)
}

// others returns which other display addresses answer.
func others(bus i2c.Bus) string {
	var found []string
	for _, from := range []uint16{0x20, 0x38} {
		for a := from; a < from+8; a++ {
			if i2cbus.Ask(bus, a) == nil {
				found = append(found, fmt.Sprintf("%#x", a))
			}
		}
	}
	if len(found) == 0 {
		return ": is it plugged in, and are SDA and SCL swapped?"
	}
	return ", but at " + strings.Join(found, ", ") + ": is the address right?"
}

func (m machine) lookAtPort(port string) (state, why string) {
	switch err := m.access(m.path(port)); {
	case errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(port, "/dev/serial/"):
		return fault, fmt.Sprintf("there is no %s: is its adapter plugged in?", port)
	case errors.Is(err, fs.ErrNotExist):
		return fault, fmt.Sprintf("there is no %s: on a Pi, config.txt needs enable_uart=1", port)
	case errors.Is(err, fs.ErrPermission):
		return fault, fmt.Sprintf("%s: permission denied: is this user in the group dialout?", port)
	case err != nil:
		return fault, fmt.Sprintf("%s: %v", port, err)
	}
	return unseen, port + " is there"
}

func (m machine) lookForPad(u *board.USB) (state, why string) {
	pads, err := m.pads()
	for _, p := range pads {
		if u.Match != "" && strings.Contains(p.Name, u.Match) || u.Match == "" && p.Taken {
			return there, fmt.Sprintf("%q (%s)", p.Name, p.Path)
		}
	}
	switch {
	case err != nil:
		return fault, err.Error()
	case len(pads) > 0:
		return fault, fmt.Sprintf("%q has digits, but match does not name it", pads[0].Name)
	}
	return fault, "no number pad is plugged in"
}

func (m machine) lookForWatchdog(d *board.Watchdog) (state, why string) {
	name := filepath.Base(d.Device)
	if name == "watchdog" { // the older name of /dev/watchdog0
		name = "watchdog0"
	}
	folder := filepath.Join("sys/class/watchdog", name)
	if _, err := os.Stat(m.path(folder)); err != nil {
		return fault, fmt.Sprintf("there is no %s: on a Pi, config.txt needs dtparam=watchdog=on", d.Device)
	}
	identity := orUnknown(m.read(filepath.Join(folder, "identity")))
	switch m.read(filepath.Join(folder, "state")) {
	case "active":
		return there, identity + ", running: kioskd has it, or systemd (RuntimeWatchdogSec=)"
	case "inactive":
		return there, identity + ", not running"
	}
	return there, d.Device + "; this kernel does not tell more" // made without CONFIG_WATCHDOG_SYSFS
}

// lookAtLines returns the state of a part by the consumers of its lines. Whatever is
// wired to the lines cannot report its presence.
func lookAtLines(part board.Part) (state, why string) {
	holders := make(map[string][]string)
	for _, name := range lines(part) {
		by, err := board.Held(name)
		if err != nil {
			return fault, err.Error()
		}
		if by != "" {
			holders[by] = append(holders[by], name)
		}
	}
	state, why = unseen, "its lines are free"
	for _, by := range slices.Sorted(maps.Keys(holders)) {
		state, why = inUse, fmt.Sprintf("%s held by %s", strings.Join(holders[by], ", "), by)
		if !ours(by) {
			return fault, why + ", not by kioskd: take it from there, or use another line"
		}
	}
	return state, why
}

// ours reports whether the consumer of a line is kioskd or the guardian of its strike.
func ours(holder string) bool {
	name, _, _ := strings.Cut(holder, "@")
	return name == "kioskd" || name == "strike-guardian"
}

// lines returns the GPIO lines of a part.
func lines(part board.Part) []string {
	var names []string
	for _, w := range part.Wires() {
		switch w.Line {
		case "", board.Ground, board.Volts3V3, board.Volts5:
		default:
			names = append(names, w.Line)
		}
	}
	return names
}
