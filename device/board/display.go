package board

import (
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"

	"smartkiosk/device/display"
	"smartkiosk/device/display/oled"
)

// Display is the section of a display.
type Display interface {
	Part
	// Open starts the display: it is on and empty. The errors name the line, bus
	// or port.
	Open() (display.Device, error)
	// Form returns how to lay out frames for the display.
	Form() Form
}

// Form is the number of letters that a display shows, in the layout that it is
// set to.
type Form struct {
	Rows, Columns int
	Layout        display.Layout
}

// displayDriver registers a kind of display. displayDrivers is the only place in
// which the rest of the program learns about a driver. Each entry makes its
// section valid in board files; kioskd can open the display; "kioskctl panel" can
// find, test and name it; and package wiring can describe and draw it.
type displayDriver struct {
	section string         // the section of a board file is [display.SECTION]
	new     func() Display // without settings
	// detect reports whether the display may be at an address that has answered.
	// It must write nothing, because another part may be there. It is nil for a
	// display that cannot be found by reading.
	detect func(bus i2c.Bus, address uint16) (Candidate, bool)
}

// displayDrivers are in the order of Board.Displays. DetectDisplay returns the
// first that matches.
var displayDrivers = slices.Concat(
	[]displayDriver{{section: "hd44780", new: func() Display { return &HD44780{} }}},
	oledDrivers(oled.Chips()),
	[]displayDriver{
		{"pcf8574", func() Display { return &PCF8574{} }, detectBackpack},
		{section: "serlcd", new: func() Display { return &SerLCD{} }},
		{section: "lk204", new: func() Display { return &LK204{} }},
		{section: "dm-d110", new: func() Display { return &DMD110{} }},
	},
)

// Candidate is a display that may be at an address of an I²C bus.
type Candidate struct {
	Section string   // of a board file, "display.ssd1306"
	About   string   // the display, and how it was recognized
	Doubt   string   // other settings to try if the display shows nothing or the wrong picture
	Keys    []string // lines of the section besides bus and address
}

// DetectDisplay returns the display that may be at an address that has answered.
// It writes nothing to the bus.
func DetectDisplay(bus i2c.Bus, address uint16) (Candidate, bool) {
	for _, driver := range displayDrivers {
		if driver.detect == nil {
			continue
		}
		if found, ok := driver.detect(bus, address); ok {
			found.Section = "display." + driver.section
			return found, true
		}
	}
	return Candidate{}, false
}

// SerialDisplays lists the sections of displays at a serial port. These displays
// never answer, so they cannot be detected.
func SerialDisplays() []string {
	var sections []string
	for _, driver := range displayDrivers {
		if d, ok := driver.new().(interface{ serial() }); ok {
			d.serial()
			sections = append(sections, "display."+driver.section)
		}
	}
	return sections
}

// start starts the driver of a display.
func start(part display.Part) (display.Device, error) {
	text, err := display.NewText(part)
	if err != nil {
		return nil, err // a nil *display.Text would not be a nil Device
	}
	return text, nil
}

// checkCells checks that the screens fit a character display.
func checkCells(rows, columns int) error {
	if !slices.Contains([][2]int{{2, 16}, {2, 20}, {4, 20}}, [2]int{rows, columns}) {
		return fmt.Errorf("rows and columns are %d and %d: use 2 and 16, 2 and 20 or 4 and 20", rows, columns)
	}
	return nil
}

// cellEdges is the advice for a character display whose edges stay empty.
const cellEdges = "rows and columns must be those of the display"
