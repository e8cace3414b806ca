package oled

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// ErrUnidentified says that a status is not known to be either chip's.
var ErrUnidentified = errors.New("it tells neither SSD1306 nor SH1106")

// String names the chip.
func (c Chip) String() string { return chips[c].name }

// Identify guesses by its status which chip a panel has; nothing is written to
// it. The data sheets leave the lower four bits open, so this goes by what
// others have read from modules: 3 and 6 (bitbank2/ss_oled, ss_oled.cpp), 4
// (its issue 61) and 5 (meshtastic/firmware, pull request 9192) for an SSD1306,
// 8 for an SH1106. Errors: no answer, or ErrUnidentified with the status.
func Identify(bus i2c.Bus, address uint16) (Chip, error) {
	var status [1]byte
	if err := bus.Tx(address, nil, status[:]); err != nil {
		return 0, fmt.Errorf("no answer from %#x: %w", address, err)
	}
	switch {
	case status[0]&0xb0 != 0: // busy, or bits that are 0 in both (SH1106, command 22)
	case status[0]&0x0f == 8:
		return SH1106, nil
	case status[0]&0x0f >= 3 && status[0]&0x0f <= 6:
		return SSD1306, nil
	}
	return 0, fmt.Errorf("the status of %#x is %#02x: %w", address, status[0], ErrUnidentified)
}
