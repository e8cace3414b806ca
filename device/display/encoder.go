package display

import (
	"slices"

	"golang.org/x/text/unicode/norm"
)

// Slots is the number of letters that a character display can be taught at a
// time: 8 in the CGRAM of the HD44780 and of the modules based on it.
const Slots = 8

// Charset returns the byte of a letter in a display's own ROM. The bytes 0 to 7
// belong to the slots.
type Charset func(letter rune) (code byte, ok bool)

// Encoder turns letters into a display's bytes. For each letter it uses the first
// of these that works: the ROM, a slot that it teaches the letter (see [Dots]), a
// similar letter or sign, a question mark.
type Encoder struct {
	rom   Charset
	slots []rune // the letter in each slot; 0 for an empty slot
}

// NewEncoder returns an encoder for a display with this ROM and this many slots,
// all of them empty.
func NewEncoder(rom Charset, slots int) *Encoder {
	return &Encoder{rom, make([]rune, slots)}
}

// Load is a letter to teach to a slot.
type Load struct {
	Slot   int
	Letter rune
	Dots   [8]byte // rows from the top, the leftmost dot is bit 4
}

// Encode returns the bytes of a grid, row by row, and the letters that must be
// taught before these bytes are shown. shown holds the bytes that the display
// shows now, and may be nil. Encode reuses a slot that shown uses only when no
// other slot is free, so that a letter does not change before its cell is
// written.
func (e *Encoder) Encode(cells [][]rune, shown []byte) (codes []byte, loads []Load) {
	wanted := e.wanted(cells)
	for _, r := range wanted {
		if slices.Contains(e.slots, r) {
			continue
		}
		if slot := e.free(wanted, shown); slot >= 0 {
			e.slots[slot] = r
			loads = append(loads, Load{slot, r, letters[r]})
		}
	}
	for _, row := range cells {
		for _, r := range row {
			codes = append(codes, e.code(r))
		}
	}
	return codes, loads
}

// wanted returns the letters that need a slot, in the order of the grid, at most
// one for each slot.
func (e *Encoder) wanted(cells [][]rune) []rune {
	var wanted []rune
	for _, row := range cells {
		for _, r := range row {
			_, inROM := e.rom(r)
			_, known := letters[r]
			if !inROM && known && len(wanted) < len(e.slots) && !slices.Contains(wanted, r) {
				wanted = append(wanted, r)
			}
		}
	}
	return wanted
}

func (e *Encoder) free(wanted []rune, shown []byte) int {
	for _, spare := range []func(slot int) bool{
		func(slot int) bool { return e.slots[slot] == 0 },
		func(slot int) bool { return !slices.Contains(shown, byte(slot)) },
		func(slot int) bool { return true },
	} {
		for slot, r := range e.slots {
			if !slices.Contains(wanted, r) && spare(slot) {
				return slot
			}
		}
	}
	return -1
}

func (e *Encoder) code(r rune) byte {
	if code, ok := e.rom(r); ok {
		return code
	}
	if slot := slices.Index(e.slots, r); slot >= 0 {
		return byte(slot)
	}
	if code, ok := e.rom(plain(r)); ok {
		return code
	}
	code, _ := e.rom('?')
	return code
}

// plain returns the letter without its diacritics.
func plain(r rune) rune {
	if p, ok := alike[r]; ok {
		return p
	}
	for _, base := range norm.NFD.String(string(r)) {
		return base
	}
	return r
}

// alike maps letters and signs that Unicode does not decompose to similar ones.
var alike = map[rune]rune{
	'æ': 'a', 'Æ': 'A', 'ø': 'o', 'Ø': 'O', 'đ': 'd', 'Đ': 'D', 'ŋ': 'n', 'Ŋ': 'N', 'ŧ': 't', 'Ŧ': 'T',
	'ð': 'd', 'Ð': 'D', 'ł': 'l', 'Ł': 'L', 'ß': 's',
	'–': '-', '—': '-', '‘': '\'', '’': '\'', '“': '"', '”': '"', '\u00a0': ' ', '\\': '/', '~': '-', '«': '"', '»': '"',
}
