package displaysim

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"smartkiosk/device/display"
)

// Serial is a character display on a serial line. Write sends it bytes.
type Serial struct {
	Rows, Cols int
	// Faults lists commands that the module does not support.
	Faults []string
	// Written lists the cells that were written to, in order, as row*Cols+col.
	Written []int
	// Bytes counts the bytes that were written.
	Bytes int

	cells    []byte
	glyphs   [8][8]byte
	row, col int
	on       bool
	prefix   byte   // of a command that has not fully arrived; 0 for none
	pending  []byte // after the prefix
	execute  func(s *Serial, b byte)
	letter   func(s *Serial, code byte) rune
	persists bool // loaded letters survive without power
}

// NewSerLCD returns SparkFun's SerLCD with the OpenLCD firmware. Its EEPROM keeps
// the letters that were loaded.
func NewSerLCD(rows, cols int) *Serial {
	s := newSerial(rows, cols, executeSerLCD, lcdLetter)
	s.persists = true
	return s
}

// NewLK204 returns Matrix Orbital's LK204-7T.
func NewLK204() *Serial { return newSerial(4, 20, executeLK204, lcdLetter) }

// NewDMD110 returns Epson's DM-D110.
func NewDMD110() *Serial { return newSerial(2, 20, executeDMD110, cp865Letter) }

func newSerial(rows, cols int, execute func(*Serial, byte), letter func(*Serial, byte) rune) *Serial {
	s := &Serial{Rows: rows, Cols: cols, execute: execute, letter: letter}
	s.PowerCycle()
	return s
}

// PowerCycle switches the power off and on. Then the module shows a greeting.
func (s *Serial) PowerCycle() {
	s.cells = []byte(fmt.Sprintf("%-*s", s.Rows*s.Cols, "HELLO"))
	s.row, s.col, s.on, s.prefix, s.pending = 0, 0, true, 0, nil
	if !s.persists {
		s.glyphs = [8][8]byte{}
	}
}

// Write implements io.Writer.
func (s *Serial) Write(p []byte) (int, error) {
	s.Bytes += len(p)
	for _, b := range p {
		s.execute(s, b)
	}
	return len(p), nil
}

// Flush does nothing, because Write buffers nothing.
func (s *Serial) Flush() error { return nil }

// Close does nothing.
func (s *Serial) Close() error { return nil }

// Text returns what the display shows, a string for each row. The rows are empty
// when it is off.
func (s *Serial) Text() []string {
	text := make([]string, s.Rows)
	for i, code := range s.cells {
		if s.on {
			text[i/s.Cols] += string(s.letter(s, code))
		}
	}
	return text
}

// Codes returns the bytes in all cells, row by row.
func (s *Serial) Codes() []byte { return append([]byte(nil), s.cells...) }

func (s *Serial) put(code byte) {
	if s.col >= s.Cols {
		s.fault("wrote past the end of row %d", s.row)
		return
	}
	s.cells[s.row*s.Cols+s.col] = code
	s.Written = append(s.Written, s.row*s.Cols+s.col)
	s.col++
}

func (s *Serial) erase() {
	s.cells = []byte(strings.Repeat(" ", s.Rows*s.Cols))
	s.row, s.col = 0, 0
}

func (s *Serial) move(row, col int) {
	if row < 0 || row >= s.Rows || col < 0 || col >= s.Cols {
		s.fault("moved to row %d, column %d, which do not exist", row, col)
		return
	}
	s.row, s.col = row, col
}

func (s *Serial) done() { s.prefix, s.pending = 0, nil }

func (s *Serial) fault(format string, args ...any) {
	s.Faults = append(s.Faults, fmt.Sprintf(format, args...))
}

func lcdLetter(s *Serial, code byte) rune {
	if code < 8 {
		if r, ok := display.LetterOf(s.glyphs[code]); ok {
			return r
		}
		return '\uFFFD'
	}
	return romLetter(code)
}

func cp865Letter(_ *Serial, code byte) rune { return charmap.CodePage865.DecodeByte(code) }

// executeSerLCD follows SparkFun's command set of OpenLCD.
func executeSerLCD(s *Serial, b byte) {
	if s.prefix == 0 {
		if b == '|' || b == 0xfe {
			s.prefix = b
		} else {
			s.put(b)
		}
		return
	}
	s.pending = append(s.pending, b)
	c := s.pending[0]
	switch {
	case s.prefix == '|' && c == 0x2d:
		s.erase()
	case s.prefix == '|' && c >= 27 && c <= 34:
		if len(s.pending) < 9 {
			return
		}
		copy(s.glyphs[c-27][:], s.pending[1:])
	case s.prefix == '|' && c >= 35 && c <= 42:
		s.put(c - 35)
	case s.prefix == 0xfe && c&0x80 != 0:
		for row, from := range []int{0, 64, 20, 84}[:s.Rows] {
			if at := int(c&0x7f) - from; at >= 0 && at < s.Cols {
				s.move(row, at)
			}
		}
	case s.prefix == 0xfe && c&0xf8 == 8:
		s.on = c&4 != 0
	default:
		s.fault("unknown command %#02x %#02x", s.prefix, c)
	}
	s.done()
}

// executeLK204 follows Matrix Orbital's manual, section "Command summary".
func executeLK204(s *Serial, b byte) {
	if s.prefix == 0 {
		if b == 0xfe {
			s.prefix = b
		} else {
			s.put(b)
		}
		return
	}
	s.pending = append(s.pending, b)
	if need := map[byte]int{'G': 3, 'N': 10, 'B': 2}[s.pending[0]]; len(s.pending) < need {
		return
	}
	switch p := s.pending; p[0] {
	case 'X':
		s.erase()
	case 'H':
		s.move(0, 0)
	case 'G':
		s.move(int(p[2])-1, int(p[1])-1)
	case 'N':
		copy(s.glyphs[p[1]&7][:], p[2:])
	case 'B', 'F':
		s.on = p[0] == 'B'
	case 'D', 'K', 'R', 'T':
	default:
		s.fault("unknown command 0xfe %#02x", p[0])
	}
	s.done()
}

// executeDMD110 follows the DM-D110's specification, section 5.4.
func executeDMD110(s *Serial, b byte) {
	if s.prefix == 0 {
		switch {
		case b == 0x1b || b == 0x1f:
			s.prefix = b
		case b == 0x0c:
			s.erase()
		case b < ' ':
			s.fault("unknown control character %#02x", b)
		default:
			s.put(b)
		}
		return
	}
	s.pending = append(s.pending, b)
	command := string([]byte{s.prefix, s.pending[0]})
	if need := map[string]int{"\x1bR": 2, "\x1bt": 2, "\x1b=": 2, "\x1f$": 3, "\x1fC": 2, "\x1fE": 2}[command]; len(s.pending) < need {
		return
	}
	switch p := s.pending; command {
	case "\x1b@":
		s.erase()
	case "\x1bR", "\x1bt", "\x1b=":
		if want := map[string]byte{"\x1bR": 0, "\x1bt": 5, "\x1b=": 2}[command]; p[1] != want {
			s.fault("unexpected parameter %d of command %q", p[1], command)
		}
	case "\x1f$":
		s.move(int(p[2])-1, int(p[1])-1)
	case "\x1fC":
		if p[1] != 0 {
			s.fault("cursor %d", p[1])
		}
	case "\x1fE":
		s.on = p[1] != 255
	case "\x1f\x01":
	default:
		s.fault("unknown command %q", command)
	}
	s.done()
}
