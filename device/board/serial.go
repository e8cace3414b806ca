package board

import (
	"fmt"
	"slices"

	"smartkiosk/device/display"
	"smartkiosk/device/display/serialtext"
)

// Serial holds the settings of displays on a serial port.
type Serial struct {
	Port string `toml:"port"` // device file; in /dev/serial/by-id the name belongs to the adapter
	Baud int    `toml:"baud"` // the display's rate in bits per second
}

// serial marks a display at a serial port.
func (*Serial) serial() {}

func (s *Serial) open(part func(serialtext.Port) (*serialtext.Part, error)) (display.Device, error) {
	port, err := serialtext.Open(s.Port, s.Baud)
	if err != nil {
		return nil, err
	}
	made, err := part(port)
	if err != nil {
		port.Close()
		return nil, err
	}
	return start(made)
}

func (s *Serial) check(Pi) error {
	if bauds := []int{2400, 4800, 9600, 19200, 38400, 57600, 115200}; !slices.Contains(bauds, s.Baud) {
		return fmt.Errorf("baud is %d: use the rate that the display is set to, one of %v", s.Baud, bauds)
	}
	return checkDevice("port", s.Port, "/dev/serial0")
}

// Device implements OnBus.
func (s *Serial) Device() (string, uint16) { return s.Port, 0 }

// describe describes a display of rows and columns; buy is the display itself.
func (s *Serial) describe(title, label string, rows, columns int, buy string) Description {
	d := Description{
		Title: title, Label: label, Picture: LCDPicture, Buy: []string{buy}, Edges: cellEdges,
		Wiring: fmt.Sprintf("%d×%d letters, %s at %d baud", rows, columns, s.Port, s.Baud),
	}
	if !s.onHeader() {
		d.Buy = append(d.Buy, "USB adapter for its serial port")
	}
	return d
}

// onHeader reports whether the port is that of a Pi's header.
func (s *Serial) onHeader() bool { return slices.Contains(serialPorts, s.Port) }

// wires returns the wires to a port of the header, or to an adapter's plug.
func (s *Serial) wires(terminal, via, header, adapter string, power ...Wire) []Wire {
	if !s.onHeader() {
		return []Wire{{Terminal: "USB plug", Device: s.Port, Note: adapter}}
	}
	return append(power, Wire{Terminal: terminal, Device: s.Port, Function: "TXD", Via: via, Note: header})
}

// SerLCD is [display.serlcd]: SparkFun's SerLCD with the OpenLCD firmware.
type SerLCD struct {
	Serial
	Rows    int `toml:"rows"`
	Columns int `toml:"columns"`
}

// Section implements Part.
func (*SerLCD) Section() string { return "display.serlcd" }

// Form implements Display.
func (d *SerLCD) Form() Form { return Form{Rows: d.Rows, Columns: d.Columns} }

// Open implements Display.
func (d *SerLCD) Open() (display.Device, error) {
	return d.open(func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewSerLCD(p, d.Rows, d.Columns) })
}

func (d *SerLCD) check(pi Pi) error {
	if (d.Rows != 2 || d.Columns != 16) && (d.Rows != 4 || d.Columns != 20) {
		return fmt.Errorf("rows and columns are %d and %d: use 2 and 16, or 4 and 20", d.Rows, d.Columns)
	}
	return d.Serial.check(pi)
}

// Describe implements Part.
func (d *SerLCD) Describe() Description {
	return d.describe(fmt.Sprintf("%d×%d SerLCD", d.Columns, d.Rows), "SerLCD", d.Rows, d.Columns, fmt.Sprintf("SparkFun SerLCD %d×%d", d.Columns, d.Rows))
}

// Wires implements Part.
func (d *SerLCD) Wires() []Wire {
	return d.wires("RX", "", "", "through an adapter with 3.3 V levels",
		Wire{Terminal: "GND", Line: Ground}, Wire{Terminal: "RAW", Line: Volts5})
}

// LK204 is [display.lk204]: Matrix Orbital's LK204-7T, 4 rows of 20.
type LK204 struct{ Serial }

// Section implements Part.
func (*LK204) Section() string { return "display.lk204" }

// Form implements Display.
func (*LK204) Form() Form { return Form{Rows: 4, Columns: 20} }

// Open implements Display.
func (d *LK204) Open() (display.Device, error) {
	return d.open(func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewLK204(p), nil })
}

// Describe implements Part.
func (d *LK204) Describe() Description {
	return d.describe("Matrix Orbital LK204-7T", "LK204", 4, 20, "Matrix Orbital LK204-7T")
}

// Wires implements Part.
func (d *LK204) Wires() []Wire {
	return d.wires("Rx", "", "the module's jumpers set to TTL", "through an adapter with the levels that the module's jumpers select",
		Wire{Terminal: "GND", Line: Ground}, Wire{Terminal: "Vcc", Line: Volts5})
}

// DMD110 is [display.dm-d110]: a customer display of 2 rows of 20 with the
// ESC/POS commands of Epson's DM-D110.
type DMD110 struct{ Serial }

// Section implements Part.
func (*DMD110) Section() string { return "display.dm-d110" }

// Form implements Display.
func (*DMD110) Form() Form { return Form{Rows: 2, Columns: 20} }

// Open implements Display.
func (d *DMD110) Open() (display.Device, error) {
	return d.open(func(p serialtext.Port) (*serialtext.Part, error) { return serialtext.NewDMD110(p), nil })
}

// Describe implements Part.
func (d *DMD110) Describe() Description {
	about := d.describe("customer display", "display", 2, 20, "customer display with the commands of Epson's DM-D110, RS-232, and its power supply")
	about.Picture = PolePicture
	if d.onHeader() {
		about.Buy = append(about.Buy, "MAX3232 module for 3.3 V")
	}
	return about
}

// Wires implements Part.
func (d *DMD110) Wires() []Wire {
	return d.wires("RXD", "MAX3232", "to T1IN of the module; T1OUT goes to the display, which has RS-232 levels", "through an RS-232 adapter; the display has its own power supply",
		Wire{Terminal: "GND", Line: Ground, Note: "also to GND of the MAX3232 module; the display has its own power supply"},
		Wire{Terminal: "MAX3232 VCC", Line: Volts3V3})
}
