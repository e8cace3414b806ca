package oled

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// Chip is a display controller.
type Chip int

// The controllers.
const (
	SSD1306 Chip = iota
	SH1106
	SSD1309
)

// chips is the only place that names the controllers. Package board makes a
// driver for each entry. The chips differ in their initialization, in the column
// of memory that appears first on the glass, and in their status.
//
// The initialization follows the SSD1306 datasheet's "Software Initialization
// Flow Chart" (application note, figure 2), for a panel of 64 rows whose
// connector is at the top.
var chips = [...]struct {
	name    string
	modules string // the modules that have it, in words for a person
	start   []byte
	offset  int
	// status lists the known values of the lower four bits of the status. The
	// data sheets do not define them; the values were read from modules by
	// others, as cited.
	status []byte
}{
	SSD1306: {
		name:    "SSD1306", // memory of 128 columns
		modules: "most modules of 0.96 inches",
		start: []byte{
			switchOff,
			0xa8, 0x3f, // 64 rows
			0xd3, 0x00, // no offset of rows
			0x40,       // from the memory's first row
			0xa1,       // columns from the right
			0xc8,       // rows from below
			0xda, 0x12, // every second row on the other side
			0x81, 0x7f, // half contrast: the panel lasts longer
			0xa4,       // show the memory
			0xa6,       // 1 is lit
			0xd5, 0x80, // clock
			0x8d, 0x14, // charge pump on
			0x20, 0x02, // page addressing, as the SH1106
			0x2e, // no scrolling
		},
		// 3 and 6: bitbank2/ss_oled, ss_oled.cpp; 4: its issue 61; 5:
		// meshtastic/firmware, pull request 9192.
		status: []byte{3, 4, 5, 6},
	},
	SH1106: {
		name:    "SH1106", // memory of 132 columns; modules show the middle 128
		modules: "most modules of 1.3 inches",
		start: []byte{
			switchOff,
			0xa8, 0x3f,
			0xd3, 0x00,
			0x40,
			0xa1,
			0xc8,
			0xda, 0x12,
			0x81, 0x80,
			0xa4,
			0xa6,
			0xd5, 0x80,
			0xad, 0x8b, // DC-DC converter on
		},
		offset: 2,
		status: []byte{8}, // bitbank2/ss_oled, ss_oled.cpp
	},
	SSD1309: {
		name:    "SSD1309", // memory of 128 columns; the panel voltage is external
		modules: "most modules of 1.54 and 2.42 inches",
		start: []byte{
			switchOff,
			0xfd, 0x12, // accept commands
			0xa8, 0x3f,
			0xd3, 0x00,
			0x40,
			0xa1,
			0xc8,
			0xda, 0x12,
			0x81, 0x7f,
			0xa4,
			0xa6,
			0xd5, 0x70, // clock, as at reset
			0x20, 0x02,
			0x2e,
		},
	},
}

// Chips lists all controllers.
func Chips() []Chip {
	all := make([]Chip, len(chips))
	for i := range all {
		all[i] = Chip(i)
	}
	return all
}

// String names the controller.
func (c Chip) String() string { return chips[c].name }

// Modules describes the modules that have the controller, for a person.
func (c Chip) Modules() string { return chips[c].modules }

// MaxColumnOffset is the largest column offset of a panel, which is that of a
// memory of 132 columns. Clones of the SSD1306 and SSD1309 have as much memory as
// the SH1106.
const MaxColumnOffset = 132 - width

// Detect describes the panel with this chip that may be at an address, and how
// that is known. It returns "" if there is no such panel. It reads the status and
// writes nothing. A status that matches no chip counts as the first chip.
func Detect(bus i2c.Bus, address uint16, chip Chip) (about string) {
	if address != 0x3c && address != 0x3d {
		return ""
	}
	var status [1]byte
	if err := bus.Tx(address, nil, status[:]); err != nil {
		return ""
	}
	if status[0]&0xb0 != 0 { // busy, or a bit set that is 0 on all chips (SH1106, command 22)
		return ""
	}
	for c := range chips {
		for _, known := range chips[c].status {
			if status[0]&0x0f == known {
				if Chip(c) == chip {
					return fmt.Sprintf("OLED, probably %v by its status %#02x", chip, status[0])
				}
				return ""
			}
		}
	}
	if chip == 0 {
		return fmt.Sprintf("OLED: its status %#02x does not tell which controller it has", status[0])
	}
	return ""
}
