package keypad

import "fmt"

// Codes maps the key codes of a USB pad to keys. Codes are Linux's KEY_…
// (include/uapi/linux/input-event-codes.h), keys are those of Keypad.Keys. Other
// codes do nothing.
type Codes map[uint16]rune

// padDigits are the digits 0 to 9 of number pads, of the top row of keyboards and
// of telephone keypads. Linux reports the same codes whether Num Lock is on or
// off, unless the pad has its own Num Lock (see navigation).
var padDigits = [3][10]uint16{
	{82, 79, 80, 81, 75, 76, 77, 71, 72, 73},                               // KEY_KP0 …
	{11, 2, 3, 4, 5, 6, 7, 8, 9, 10},                                       // KEY_0 …
	{0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209}, // KEY_NUMERIC_0 …
}

// DefaultCodes returns the codes of a usual number pad: the digits; # for Enter;
// * for *, ., Backspace, Delete, Clear and Esc; L for / and Tab;
// R for -; V for +.
func DefaultCodes() Codes {
	codes := Codes{
		96: '#', 28: '#', 0x20b: '#', // KEY_KPENTER, KEY_ENTER, KEY_NUMERIC_POUND
		55: '*', 83: '*', 121: '*', 14: '*', 111: '*', 1: '*', 0x20a: '*', 0x163: '*', // KEY_KPASTERISK, KEY_KPDOT, KEY_KPCOMMA, KEY_BACKSPACE, KEY_DELETE, KEY_ESC, KEY_NUMERIC_STAR, KEY_CLEAR
		98: 'L', 15: 'L', // KEY_KPSLASH, KEY_TAB
		74: 'R', 12: 'R', 78: 'V', // KEY_KPMINUS, KEY_MINUS, KEY_KPPLUS
	}
	for _, row := range padDigits {
		for digit, code := range row {
			codes[code] = '0' + rune(digit)
		}
	}
	return codes
}

// check refuses invalid keys, and maps without a key that PIN entry needs.
func (c Codes) check() error {
	have := make(map[rune]bool)
	for code, key := range c {
		if !validKey(key) {
			return fmt.Errorf("cannot read key map: code %d: %q: %w", code, key, errKey)
		}
		have[key] = true
	}
	for _, key := range "0123456789*#" {
		if !have[key] {
			return fmt.Errorf("cannot read key map: no code for %c", key)
		}
	}
	return nil
}

// digits reports whether a device has all ten digits in one of the three forms.
func (s *keyset) digits() bool {
	for _, row := range padDigits {
		all := true
		for _, code := range row {
			all = all && s.has(code)
		}
		if all {
			return true
		}
	}
	return false
}

// any reports whether a device has any keys of a keyboard, other than the buttons of
// a mouse (BTN_MISC and above).
func (s *keyset) any() bool {
	for code := range uint16(0x100) {
		if s.has(code) {
			return true
		}
	}
	return false
}

// letters reports whether a device claims to have letters (KEY_Q, KEY_A, KEY_Z): a
// whole keyboard, or a pad whose maker copied the descriptor of one.
func (s *keyset) letters() bool { return s.has(16) && s.has(30) && s.has(44) }
