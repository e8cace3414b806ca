package keypad

import "time"

// USB says which number pads to read, and how. Any number may be plugged in.
type USB struct {
	// Match is part of the device's name as Linux has it (/proc/bus/input/
	// devices). Empty takes every device that has digits and no letters;
	// pads that claim to have letters, and whole keyboards, must be named.
	Match string

	Codes      Codes         // nil: DefaultCodes
	StuckAfter time.Duration // 0: DefaultStuckAfter
}
