package serialtext

import (
	"bytes"
	"fmt"

	"smartkiosk/device/display"
)

// Part is a module at a serial port. It is a [display.Part].
type Part struct {
	port    Port
	dialect dialect
	encoder *display.Encoder
	shown   []byte // per cell; nil after Start
	on      bool   // the module has been switched on
	starts  int    // since a letter was last taught in vain
}

// dialect is what one make of module understands. The methods append commands
// to a message.
type dialect interface {
	fmt.Stringer
	size() (rows, cols int)
	encoder() *display.Encoder
	remembers() bool     // keeps letters in a memory that wears, without power too
	start(*bytes.Buffer) // from any state to an empty display
	teach(*bytes.Buffer, display.Load)
	move(b *bytes.Buffer, row, col int)
	cell(b *bytes.Buffer, code byte) // moves on by one
	switchOn(*bytes.Buffer)          // and no cursor
}

func newPart(port Port, d dialect) *Part {
	return &Part{port: port, dialect: d}
}

// String names the module.
func (p *Part) String() string { return p.dialect.String() }

// Size gives rows and columns.
func (p *Part) Size() (rows, cols int) { return p.dialect.size() }

// Start resets the module as far as it can be. One that remembers its letters
// is taught them anew at the second start, the fourth, the eighth and so on:
// one that did not listen, or another that was put in its place, is mended,
// and a start each minute wears nothing out.
func (p *Part) Start() error {
	p.shown, p.on = nil, false
	if p.starts++; !p.dialect.remembers() || p.starts&(p.starts-1) == 0 {
		p.encoder = p.dialect.encoder()
	}
	var b bytes.Buffer
	p.dialect.start(&b)
	return p.write(b.Bytes())
}

// Draw writes, in one message, the letters that are to be taught, the cells
// that differ and then the cursor.
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
		p.starts = 0 // nobody knows which letters it was taught
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

// Check looks whether the port is still there. The module behind it cannot be
// asked: it may have lost its power alone.
func (p *Part) Check() error {
	if err := p.port.Flush(); err != nil {
		return fmt.Errorf("the serial port is gone: %w", err)
	}
	return display.ErrBlind
}

// Close closes the port.
func (p *Part) Close() error { return p.port.Close() }
