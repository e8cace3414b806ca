package keypad

import (
	"strconv"
	"sync"
	"time"
)

// Codes of modifier keys (include/uapi/linux/input-event-codes.h).
var modifiers = map[uint16]modifier{
	42: shift, 54: shift, // KEY_LEFTSHIFT, KEY_RIGHTSHIFT
	56: alt, 100: alt, // KEY_LEFTALT, KEY_RIGHTALT
	29: otherModifier, 97: otherModifier, // KEY_LEFTCTRL, KEY_RIGHTCTRL
	125: otherModifier, 126: otherModifier, // KEY_LEFTMETA, KEY_RIGHTMETA
}

type modifier int

const (
	shift modifier = 1 << iota
	alt
	otherModifier
)

// navigation maps the codes that a pad with its own Num Lock sends while that is
// off: Insert, End, Down, Page Down, Left, Right, Home, Up and Page Up. The key 5
// has no such function and sends KEY_KP5.
var navigation = map[uint16]rune{110: '0', 107: '1', 108: '2', 109: '3', 105: '4', 76: '5', 106: '6', 102: '7', 103: '8', 104: '9'}

// silent holds keys of usual number pads that do nothing here: Num Lock, -, +, =
// and the calculator. They are not reported as unknown.
var silent = map[uint16]bool{69: true, 74: true, 78: true, 117: true, 140: true}

// maxAltCode is the number of digits of the longest Alt code.
const maxAltCode = 4

// sameKey is the time within which two event devices of a pad may report the same
// press.
const sameKey = 20 * time.Millisecond

// chord interprets the keys of a number pad together with modifiers. All event
// devices of one pad share it, because a pad may send Shift on one device and 3
// on another.
//
// A chord is never a digit. Pads whose controller has no codes for # and * send
// them as chords: as Shift+3 and Shift+8, or as an Alt code (the decimal code of
// the character, typed while Alt is held).
type chord struct {
	mu      sync.Mutex
	held    map[heldKey]modifier
	altCode string
	altBad  bool // the keys typed with Alt are not a code

	last     rune
	lastFrom *pad
	lastAt   time.Time
}

type heldKey struct {
	from *pad
	code uint16
}

func newChord() *chord { return &chord{held: map[heldKey]modifier{}} }

// down handles a key that goes down. It returns the keys that this means, or ""
// for no key. known is false for a code that has no meaning.
func (c *chord) down(p *pad, code uint16, scan uint32) (keys string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := modifiers[code]; ok {
		if m == alt && c.modifiers() == 0 {
			c.altCode, c.altBad = "", false
		} else {
			c.altBad = true
		}
		c.held[heldKey{p, code}] = m
		return "", true
	}
	switch c.modifiers() {
	case 0:
		return c.plain(p, code, scan)
	case shift:
		switch code {
		case padDigits[1][3]:
			return c.once(p, '#'), true
		case padDigits[1][8]:
			return c.once(p, '*'), true
		}
	case alt:
		digit, ok := padDigit(code)
		if !ok || len(c.altCode) == maxAltCode {
			c.altBad = true
			break
		}
		c.altCode += string(digit)
	}
	return "", true
}

// plain handles a key that goes down without modifiers.
func (c *chord) plain(p *pad, code uint16, scan uint32) (keys string, known bool) {
	switch scan { // HID usages that Linux has no key code for
	case 0x700b0: // Keypad 00
		return "00", true
	case 0x700b1: // Keypad 000
		return "000", true
	}
	if key, ok := p.codes[code]; ok {
		return c.once(p, key), true
	}
	if digit, ok := navigation[code]; ok && !p.letters {
		return c.once(p, digit), true
	}
	return "", silent[code]
}

// once drops a press that another event device of the pad has just reported.
func (c *chord) once(p *pad, key rune) string {
	if key == c.last && p != c.lastFrom && time.Since(c.lastAt) < sameKey {
		return ""
	}
	c.last, c.lastFrom, c.lastAt = key, p, time.Now()
	return string(key)
}

// up handles a key that goes up. Releasing Alt ends an Alt code. unknownAlt
// reports a code without a meaning. The code itself is not returned, because it
// may contain digits of a PIN.
func (c *chord) up(p *pad, code uint16) (keys string, unknownAlt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := heldKey{p, code}
	m := c.held[held]
	delete(c.held, held)
	if m != alt || c.modifiers()&alt != 0 {
		return "", false
	}
	typed := c.altCode
	c.altCode = ""
	if typed == "" || c.altBad {
		return "", c.altBad
	}
	switch value, err := strconv.Atoi(typed); {
	case err == nil && (value == '#' || value == '\r'):
		return "#", false
	case err == nil && (value == '*' || value == '\b'):
		return "*", false
	}
	return "", true
}

// forget removes the modifiers of a pad, before they are read again or after the
// pad was unplugged.
func (c *chord) forget(p *pad) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for held := range c.held {
		if held.from == p {
			delete(c.held, held)
		}
	}
	c.altBad = true
}

// resume adds a modifier that was found to be down.
func (c *chord) resume(p *pad, code uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[heldKey{p, code}] = modifiers[code]
}

func (c *chord) modifiers() (all modifier) {
	for _, m := range c.held {
		all |= m
	}
	return all
}

// padDigit returns the digit of a key of the number pad, in both states of Num
// Lock.
func padDigit(code uint16) (digit rune, ok bool) {
	for digit, c := range padDigits[0] {
		if c == code {
			return '0' + rune(digit), true
		}
	}
	digit, ok = navigation[code]
	return digit, ok
}
