package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes the findings in words, and then the wiring file.
func (f findings) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s"+format+"\n", append([]any{name}, args...)...)
	}
	none := func(name string, found int) {
		if found == 0 {
			line(name, "none found")
		}
	}
	if f.Machine != "" {
		line("Machine", "%s", f.Machine)
	}
	none("I²C", len(f.I2C))
	for _, bus := range f.I2C {
		line("I²C", "%s (%s): %s", bus.Device, orUnknown(bus.Name), answers(len(bus.Parts)))
		for _, p := range bus.Parts {
			line("", "%s: %s", p.Address, p.About)
		}
		for _, address := range slices.Sorted(maps.Keys(bus.Held)) {
			line("", "%s: held by the kernel's driver %s, not asked", address, bus.Held[address])
		}
	}
	none("Serial port", len(f.Serial))
	for _, p := range f.Serial {
		line("Serial port", "%s (%s): %s%s", p.Device, p.TTY, p.Name, p.taken())
	}
	none("Card reader", len(f.Readers))
	for _, r := range f.Readers {
		line("Card reader", "%s", r)
	}
	none("Number pad", len(f.Pads))
	for _, p := range f.Pads {
		how := "used without being named"
		if p.Named {
			how = "has letters too: used only if it is named"
		}
		line("Number pad", "%q (%s): %s", p.Name, p.Device, how)
	}
	none("GPIO", len(f.GPIO))
	for _, c := range f.GPIO {
		line("GPIO", "%s (%s): %d lines, %s", c.Device, c.Label, c.Lines, heldLines(c.Held))
	}
	none("PWM", len(f.PWM))
	for _, c := range f.PWM {
		line("PWM", "%s: channels 0 to %d", c.Chip, c.Channels-1)
	}
	none("Watchdog", len(f.Watchdogs))
	for _, d := range f.Watchdogs {
		state := "free"
		if d.Active {
			state = "running: kioskd has it, or systemd (RuntimeWatchdogSec=)"
		}
		line("Watchdog", "%s (%s): %s", d.Device, orUnknown(d.Name), state)
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

func heldLines(held []string) string {
	if len(held) == 0 {
		return "all free"
	}
	return "held: " + strings.Join(held, ", ")
}
