package serialtext

import (
	"bytes"
	"fmt"

	"smartkiosk/device/display"
)

// Part is a module on a serial port. It is a [display.Part].
type Part struct {
	port    Port
	dialect dialect
	encoder *display.Encoder
	shown   []byte // per cell; nil after Start
	on      bool   // the module has been switched on
	starts  int    // starts since a write failed; see Start
}

// dialect is the command set of one make of module. The methods append commands
// to a message.
type dialect interface {
	fmt.Stringer
	size() (rows, cols int)
	encoder() *display.Encoder
	remembers() bool     // reports whether the module stores taught letters in a memory that wears out and that survives a loss of power
	start(*bytes.Buffer) // from any state to an empty display
	teach(*bytes.Buffer, display.Load)
	move(b *bytes.Buffer, row, col int)
	cell(b *bytes.Buffer, code byte) // writes a cell and advances the position by one
	switchOn(*bytes.Buffer)          // switches the display on and the cursor off
}

func newPart(port Port, d dialect) *Part {
	return &Part{port: port, dialect: d}
}

// String names the module.
func (p *Part) String() string { return p.dialect.String() }

// Size returns the rows and columns.
func (p *Part) Size() (rows, cols int) { return p.dialect.size() }

// Start resets the module as far as its commands allow. A module that remembers
// its letters is taught them again only at the first, second, fourth, eighth
// start and so on. That repairs a module that missed them or that was replaced,
// and a start each minute does not wear the memory out.
func (p *Part) Start() error {
	p.shown, p.on = nil, false
	if p.starts++; !p.dialect.remembers() || p.starts&(p.starts-1) == 0 {
		p.encoder = p.dialect.encoder()
	}
	var b bytes.Buffer
	p.dialect.start(&b)
	return p.write(b.Bytes())
}

// Draw writes, in one message, the letters to teach and the cells that differ;
// the first time it also switches the display on.
func (p *Part) Draw(c display.Content) error {
	codes, loads := p.encoder.Encode(c.Cells, p.shown)
	var b bytes.Buffer
	for _, load := range loads {
		p.dialect.teach(&b, load)
	}
	rows, cols := p.Size()
	for row := range rows {
		from, to := row*cols, (row+1)*cols
		var old []byte
		if p.shown != nil {
			old = p.shown[from:to]
		}
		for col, run := range display.Runs(old, codes[from:to]) {
			p.dialect.move(&b, row, col)
			for _, code := range run {
				p.dialect.cell(&b, code)
			}
		}
	}
	if !p.on {
		p.dialect.switchOn(&b)
	}
	if err := p.write(b.Bytes()); err != nil {
		p.starts = 0 // it is unknown which letters the module has received
		return err
	}
	p.shown, p.on = codes, true
	return nil
}

func (p *Part) write(message []byte) error {
	if len(message) == 0 {
		return nil
	}
	_, err := p.port.Write(message)
	return err
}

// Check checks that the port still exists. The module behind it cannot be read:
// it may have lost its power alone.
func (p *Part) Check() error {
	if err := p.port.Flush(); err != nil {
		return fmt.Errorf("the serial port is gone: %w", err)
	}
	return display.ErrBlind
}

// Close closes the port.
func (p *Part) Close() error { return p.port.Close() }
