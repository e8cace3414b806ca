package board

// Wire is one connection of a part.
type Wire struct {
	Terminal string // the terminal of the part, as most modules print it
	Line     string // the destination: a line, Ground, Volts3V3 or Volts5
	Device   string // instead of Line: the device file of its bus or port, or a description
	Function string // its function on that bus: SDA, SCL, TXD
	Slow     bool   // the part needs an I²C bus of 100 kHz or less
	Via      string // the component between the two, in a word or two
	Note     string // further advice
}

func (w Wire) power() bool {
	return w.Line == Ground || w.Line == Volts3V3 || w.Line == Volts5
}

// LineOn returns the line of a Pi's header that a wire goes to, directly or by
// its bus. It returns "" if the wire does not go to the header.
func (w Wire) LineOn(p Pi) string {
	for line, function := range p.DeviceLines(w.Device) {
		if function == w.Function {
			return line
		}
	}
	return w.Line
}
