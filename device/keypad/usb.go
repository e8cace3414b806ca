package keypad

import "time"

// USB configures number pads. Any number of them may be plugged in.
type USB struct {
	// Match is part of the device's name in Linux (/proc/bus/input/devices). If
	// it is empty, every device with digits and without letters is used. Whole
	// keyboards, and pads that claim to have letters, must be matched by name.
	Match string

	Codes      Codes         // nil: DefaultCodes
	StuckAfter time.Duration // 0: DefaultStuckAfter
	Timing     Timing
}
