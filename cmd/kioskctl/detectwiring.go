//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
	"smartkiosk/device/display/hd44780"
)

// askWirings determines the wiring of displays behind backpacks. It asks the person at
// the panel what each display shows with each known wiring, and adds the wiring, the
// polarity of the backlight and the size to the findings.
func (m machine) askWirings(ctx context.Context, who person, f *findings) {
	for b := range f.I2C {
		bus := &f.I2C[b]
		for i := range bus.Parts {
			part := &bus.Parts[i]
			if part.Section != "display.pcf8574" {
				continue
			}
			question := fmt.Sprintf("Is a character display at %s of %s? Answering y writes to it: relays there would switch.", part.Address, bus.Device)
			switch who.ask(ctx, question, yes, no) {
			case stop:
				return
			case yes:
				if stopped := askWiring(ctx, who, bus.Device, part); stopped {
					return
				}
			}
		}
	}
	f.Board = propose(*f)
}

// askWiring finds the wiring of one display. It reports whether the person stopped.
func askWiring(ctx context.Context, who person, bus string, part *addressFinding) (stopped bool) {
	who.say("  Turn the trimmer for the contrast until blocks are seen, then back until they just vanish.")
	for i, known := range hd44780.KnownWirings {
		d := &board.PCF8574{Bus: bus, Address: int(part.number), Rows: 4, Columns: 20, Pins: known.Pins, LightActiveLow: known.LightLow}
		text := fmt.Sprintf("TEST %d", i+1)
		a := askShown(ctx, who, d, fmt.Sprintf("Do you see %q, perhaps without light? (%s)", text, known.Name), display.Frame{Rows: []string{text}}, yes, no)
		if a == stop {
			return true
		}
		if a != yes {
			continue
		}
		if a = askShown(ctx, who, d, "Is the light behind the letters on?", display.Frame{Rows: []string{text}}, yes, no); a == no {
			d.LightActiveLow = !d.LightActiveLow
			if a = askShown(ctx, who, d, "Is the light on now?", display.Frame{Rows: []string{text}}, yes, no); a == no {
				who.say("  It has no light that a pin switches: look at its jumper.")
			}
		}
		rows := askShown(ctx, who, d, "How many rows of numbers do you see?", display.Frame{Rows: []string{"1 1 1 1", "2 2 2 2", "3 3 3 3", "4 4 4 4"}}, '2', '4')
		part.keys = []string{"rows = 4", "columns = 20"}
		if rows == '2' {
			part.keys = []string{"rows = 2", "columns = 16"}
		}
		part.About = "character display, wired as " + known.Name
		part.Doubt = ""
		if i > 0 {
			part.keys = append(part.keys, `pins = ["`+strings.Join(known.Pins, `", "`)+`"]`)
		}
		if d.LightActiveLow {
			part.keys = append(part.keys, "light_active_low = true")
		}
		return rows == stop
	}
	part.Doubt = "none of the known wirings showed a text: see to the contrast, or follow the tracks of the backpack and write pins"
	return false
}

// askShown shows a frame and asks what the person sees. A display that cannot be opened
// counts as not seen.
func askShown(ctx context.Context, who person, d board.Display, question string, frame display.Frame, wanted ...answer) answer {
	device, err := d.Open()
	if err == nil {
		defer device.Close()
		err = device.Show(frame)
	}
	if err != nil {
		who.say("  %v", err)
		return no
	}
	return who.ask(ctx, question, wanted...)
}
