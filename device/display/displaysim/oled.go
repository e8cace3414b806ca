package displaysim

import (
	"fmt"
	"image"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// OLED is an SSD1306 or SH1106 with 128 by 64 dots, as seen from its I²C pins. It
// supports page addressing, the one mode that both have.
type OLED struct {
	// Faults lists what the controller does not support.
	Faults []string
	// Written lists the visible columns that data was written to, in order, as
	// page*128+column.
	Written []int

	name    string
	columns int // of memory: 128 or 132
	offset  int // first column of memory that is visible
	ram     [8][132]byte
	page    int
	column  int
	on      bool
	pump    bool
	pending []byte // a command whose parameters have not all arrived
}

// controllers are the controllers that an OLED can simulate.
var controllers = map[string]struct{ columns, offset int }{
	"SSD1306": {128, 0},
	"SH1106":  {132, 2},
	"SSD1309": {128, 0},
}

// NewOLED returns a panel with this controller that was just powered on.
func NewOLED(controller string) *OLED {
	c, ok := controllers[controller]
	if !ok {
		panic("unknown controller " + controller)
	}
	o := &OLED{name: controller, columns: c.columns, offset: c.offset}
	o.PowerCycle()
	return o
}

// PowerCycle switches the power off and on. Afterwards the memory holds noise.
func (o *OLED) PowerCycle() {
	for p := range o.ram {
		for c := range o.ram[p] {
			o.ram[p][c] = byte(p*61 + c*37)
		}
	}
	o.on, o.pump, o.page, o.column, o.pending = false, false, 0, 0, nil
}

// Message implements [Target]. It handles control bytes, and the commands and data
// that follow them (SSD1306 datasheet, section 8.1.5.2).
func (o *OLED) Message(w []byte, acknowledged func()) {
	for i := 0; i < len(w); {
		control := w[i]
		acknowledged()
		i++
		more, isData := control&0x80 != 0, control&0x40 != 0
		if control&0x3f != 0 {
			o.fault("control byte %#02x", control)
		}
		for i < len(w) {
			acknowledged()
			if isData {
				o.data(w[i])
			} else {
				o.command(w[i])
			}
			i++
			if more {
				break
			}
		}
	}
}

// parameters has the number of bytes that follow a command.
var parameters = map[byte]int{0xfd: 1, 0x20: 1, 0x81: 1, 0x8d: 1, 0xa8: 1, 0xad: 1, 0xd3: 1, 0xd5: 1, 0xd9: 1, 0xda: 1, 0xdb: 1}

func (o *OLED) command(b byte) {
	o.pending = append(o.pending, b)
	c := o.pending[0]
	if len(o.pending) <= parameters[c] {
		return
	}
	o.pending = nil
	switch {
	case c < 0x10:
		o.column = o.column&0xf0 | int(c)
	case c < 0x20:
		o.column = o.column&0x0f | int(c&0x0f)<<4
	case c >= 0xb0 && c <= 0xb7:
		o.page = int(c & 7)
	case c == 0xae, c == 0xaf:
		o.on = c == 0xaf
	case c == 0x20 && o.columns == 128:
		if b != 2 {
			o.fault("addressing mode %d", b)
		}
	case c == 0xfd && o.name == "SSD1309":
		o.pump = b == 0x12 // the SSD1309 has no charge pump and needs none
	case c == 0x8d && o.name == "SSD1306":
		o.pump = b == 0x14
	case c == 0xad && o.columns == 132:
		o.pump = b == 0x8b
	case c == 0xa8 && b != 0x3f, c == 0xda && b != 0x12:
		o.fault("%#02x %#02x is not for 64 rows", c, b)
	case c == 0x2e && o.columns == 128, c == 0x40, c == 0x81, c == 0xa0, c == 0xa1, c == 0xa4, c == 0xa6, c == 0xa8,
		c == 0xc0, c == 0xc8, c == 0xd3, c == 0xd5, c == 0xda:
	default:
		o.fault("unknown command %#02x", c)
	}
}

func (o *OLED) data(b byte) {
	if o.column < o.columns {
		o.ram[o.page][o.column] = b
		if c := o.column - o.offset; c >= 0 && c < 128 {
			o.Written = append(o.Written, o.page*128+c)
		}
	}
	if o.column++; o.column == o.columns && o.columns == 128 {
		o.column = 0
	}
}

func (o *OLED) fault(format string, args ...any) {
	o.Faults = append(o.Faults, o.name+": "+fmt.Sprintf(format, args...))
}

// Status implements [Target]. Bit 6 is set while the panel is off.
func (o *OLED) Status() byte {
	if o.on {
		return 0x03
	}
	return 0x43
}

// Dots returns the dots that are lit. All are dark while the panel or its charge
// pump is off.
func (o *OLED) Dots() *image1bit.VerticalLSB {
	dots := image1bit.NewVerticalLSB(image.Rect(0, 0, 128, 64))
	if o.on && o.pump {
		for p := range o.ram {
			copy(dots.Pix[p*128:], o.ram[p][o.offset:o.offset+128])
		}
	}
	return dots
}
