package wiring

import (
	"fmt"

	"smartkiosk/device/board"
)

// described is what a person is told of a part.
type described struct {
	title string   // a few words
	short string   // in front of a terminal's name
	buy   []string // the first is the part itself
}

func describe(p board.Part) described {
	switch p := p.(type) {
	case *board.Matrix:
		size := fmt.Sprintf("%d×%d", len(p.Columns), len(p.Rows))
		return described{size + " keypad", "keypad", []string{size + " matrix keypad of bare contacts, membrane or with switches"}}
	case *board.USB:
		return described{"USB number pad", "number pad", []string{"USB number pad, of those without a keyboard's letters"}}
	case *board.HD44780:
		return described{fmt.Sprintf("%d×%d LCD", p.Columns, p.Rows), "LCD", []string{
			fmt.Sprintf("%d×%d character LCD with an HD44780 or one like it", p.Columns, p.Rows), "trimmer of 10 kΩ for its contrast"}}
	case *board.PCF8574:
		return described{fmt.Sprintf("%d×%d LCD on I²C", p.Columns, p.Rows), "LCD", []string{
			fmt.Sprintf("%d×%d character LCD with a PCF8574 backpack, its jumpers set to address %#x", p.Columns, p.Rows, p.Address),
			"level shifter for I²C, 2 channels (with BSS138 or the like)"}}
	case *board.SSD1306:
		return oled("SSD1306", p.OLED)
	case *board.SH1106:
		return oled("SH1106", p.OLED)
	case *board.SerLCD:
		return serial(fmt.Sprintf("%d×%d SerLCD", p.Columns, p.Rows), "SerLCD", p.Serial, fmt.Sprintf("SparkFun SerLCD %d×%d", p.Columns, p.Rows))
	case *board.LK204:
		return serial("Matrix Orbital LK204-7T", "LK204", p.Serial, "Matrix Orbital LK204-7T")
	case *board.DMD110:
		d := serial("customer display", "display", p.Serial, "customer display with the commands of Epson's DM-D110, RS-232, and its supply")
		if onHeader(p.Port) {
			d.buy = append(d.buy, "MAX3232 module for 3.3 V")
		}
		return d
	case *board.Active:
		return described{"buzzer", "buzzer", []string{"active buzzer module for 5 V"}}
	case *board.Piezo:
		return described{"piezo sounder", "piezo", []string{"passive piezo sounder without electronics", "resistor of 220 Ω"}}
	case *board.Lamps:
		return described{"lamps", "lamp", []string{"LEDs, green, yellow and red, with a resistor of 330 Ω each"}}
	case *board.Strike:
		trigger := "high"
		if p.ActiveLow {
			trigger = "low"
		}
		return described{"door strike", "relay", []string{
			"relay module for 5 V that is on at " + trigger + " level, with an optocoupler, and takes 3.3 V at its input", "resistor of 10 kΩ",
			"door strike of the fail-secure kind, its own supply, a diode 1N4007"}}
	case *board.Tamper:
		return described{"tamper switch", "tamper", []string{"microswitch that the lid presses"}}
	case *board.Watchdog:
		return described{"watchdog", "watchdog", nil}
	}
	return described{}
}

func oled(chip string, o board.OLED) described {
	return described{"128×64 OLED", "OLED", []string{fmt.Sprintf("128×64 OLED module with %s on I²C, at address %#x (some print it doubled, %#x)", chip, o.Address, 2*o.Address)}}
}

func serial(title, short string, s board.Serial, buy string) described {
	d := described{title, short, []string{buy}}
	if !onHeader(s.Port) {
		d.buy = append(d.buy, "USB adapter for its serial port")
	}
	return d
}

// onHeader tells whether a port is that of a Pi's header.
func onHeader(port string) bool { return len(board.Pi("4b").DeviceLines(port)) > 0 }
