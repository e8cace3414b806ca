//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"smartkiosk/device/board"
)

// TestProposals checks that the proposed file is valid for any findings, also when each
// commented section is uncommented.
func TestProposals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := findings{Machine: rapid.SampledFrom([]string{"", "Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi 3 Model B Plus Rev 1.3",
			"Raspberry Pi 3 Model B Rev 1.2", "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0", "A \"board\"\\\x01\xff"}).Draw(t, "machine")}
		for range rapid.IntRange(0, 2).Draw(t, "buses") {
			bus := busFinding{Device: fmt.Sprintf("/dev/i2c-%d", rapid.IntRange(0, 2).Draw(t, "bus"))}
			for range rapid.IntRange(0, 3).Draw(t, "parts") {
				address := uint16(rapid.IntRange(0x08, 0x77).Draw(t, "address"))
				part := guess(fakeBus{parts: map[uint16][]byte{address: {rapid.Byte().Draw(t, "read")}}}, address)
				part.Address = fmt.Sprintf("%#02x", address)
				bus.Parts = append(bus.Parts, part)
			}
			f.I2C = append(f.I2C, bus)
		}
		for range rapid.IntRange(0, 2).Draw(t, "ports") {
			f.Serial = append(f.Serial, portFinding{Device: "/dev/serial/by-id/" + rapid.StringMatching(`[A-Za-z0-9_-]{1,20}`).Draw(t, "port"), Free: rapid.Bool().Draw(t, "free")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "pads") {
			f.Pads = append(f.Pads, padFinding{Name: rapid.String().Draw(t, "pad"), Named: rapid.Bool().Draw(t, "named")})
		}
		if rapid.Bool().Draw(t, "GPIO") {
			f.GPIO = []chipFinding{{}}
		}
		for range rapid.IntRange(0, 2).Draw(t, "watchdogs") {
			f.Watchdogs = append(f.Watchdogs, watchdogFinding{Device: "/dev/watchdog0", State: rapid.SampledFrom([]string{"active", "inactive", ""}).Draw(t, "state")})
		}
		text := propose(f)
		if text == "" {
			return
		}
		if _, err := board.Parse(text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		head, _, _ := strings.Cut(text, "\n\n")
		for section := range strings.SplitSeq(text, "\n\n") {
			var taken []string
			for line := range strings.Lines(section) {
				if !strings.HasPrefix(line, "# ") {
					taken = append(taken, strings.TrimPrefix(line, "#"))
				}
			}
			if section == head {
				continue
			}
			if _, err := board.Parse(head + "\n" + strings.Join(taken, "")); err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(taken, ""))
			}
		}
	})
}
