package board

// Wire is one connection of a part.
type Wire struct {
	Terminal string // at the part, as it is mostly printed there
	Line     string // what it goes to: a line, Ground, Volts3V3 or Volts5
	Device   string // instead of Line: the device file of its bus or port, or another thing
	Function string // of the bus that it is: SDA, SCL, TXD
	Via      string // what is between the two, in a word or two
	Note     string // what else is to be known
}

func (w Wire) power() bool {
	return w.Line == Ground || w.Line == Volts3V3 || w.Line == Volts5
}

// LineOn is the line that a wire goes to on a Pi, that of its bus too; "" if
// it is none of the header's.
func (w Wire) LineOn(p Pi) string {
	for line, function := range p.DeviceLines(w.Device) {
		if function == w.Function {
			return line
		}
	}
	return w.Line
}
