//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes the findings as text, followed by the wiring file.
func (f findings) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s"+format+"\n", append([]any{name}, args...)...)
	}
	none := func(kind string, found int) {
		hidden := slices.ContainsFunc(f.Hidden, func(h string) bool { return strings.HasPrefix(h, kind+": ") })
		switch {
		case found == 0 && hidden:
			line(kind, "none that may be looked at")
		case found == 0:
			line(kind, "none found")
		}
	}
	if f.Machine != "" {
		line("Machine", "%s", f.Machine)
	}
	none(i2cBuses, len(f.I2C))
	for _, bus := range f.I2C {
		line(i2cBuses, "%s (%s): %s", bus.Device, orUnknown(bus.Name), answers(len(bus.Parts)))
		for _, p := range bus.Parts {
			line("", "%s: %s", p.Address, p.About)
		}
		for _, address := range slices.Sorted(maps.Keys(bus.Held)) {
			line("", "%s: held by the kernel's driver %s, not asked", address, bus.Held[address])
		}
	}
	none(serialPorts, len(f.Serial))
	for _, p := range f.Serial {
		line(serialPorts, "%s (%s): %s%s", p.Device, p.TTY, p.Name, p.taken())
	}
	none(cardReaders, len(f.Readers))
	for _, r := range f.Readers {
		line(cardReaders, "%s", r)
	}
	none(numberPads, len(f.Pads))
	for _, p := range f.Pads {
		how := "used without being named"
		if p.Named {
			how = "has letters too: used only if it is named"
		}
		line(numberPads, "%q (%s): %s", p.Name, p.Device, how)
	}
	none(gpioChips, len(f.GPIO))
	for _, c := range f.GPIO {
		line(gpioChips, "%s (%s): %d lines, %s", c.Device, c.Label, c.Lines, heldLines(c.Held))
	}
	none(pwmChips, len(f.PWM))
	for _, c := range f.PWM {
		line(pwmChips, "%s: channels 0 to %d", c.Chip, c.Channels-1)
	}
	none(watchdogs, len(f.Watchdogs))
	for _, d := range f.Watchdogs {
		state := "free, or not: this kernel does not tell"
		switch d.State {
		case "active":
			state = "running: kioskd has it, or systemd (RuntimeWatchdogSec=)"
		case "inactive":
			state = "free"
		}
		line(watchdogs, "%s (%s): %s", d.Device, orUnknown(d.Name), state)
	}
	for _, h := range f.Hidden {
		line("Not seen", "%s", h)
	}
	for _, a := range f.Advice {
		line("Advice", "%s", a)
	}
	if f.Board == "" {
		b.WriteString("\nNothing was found that a wiring file could be made of.\n")
	} else {
		fmt.Fprintf(&b, "\nA wiring file of it. Lines with # are for what is not seen by looking, or for\na choice; a buzzer, lamps, strike and tamper switch are to be added:\n\n%s", f.Board)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func answers(n int) string {
	if n == 0 {
		return "nothing answers"
	}
	return fmt.Sprintf("%d answer", n)
}

func (p portFinding) taken() string {
	if p.Console {
		return "; the kernel writes its messages there"
	}
	return ""
}

func heldLines(held map[string][]string) string {
	if len(held) == 0 {
		return "all free"
	}
	var who []string
	for _, by := range slices.Sorted(maps.Keys(held)) {
		who = append(who, fmt.Sprintf("%s by %s", strings.Join(held[by], ", "), by))
	}
	return "held: " + strings.Join(who, "; ")
}
