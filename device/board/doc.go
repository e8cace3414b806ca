// Package board reads from a file which parts are wired to a machine, checks the
// file, and opens the parts.
//
//	b, err := board.Load("board.toml")
//	for _, d := range b.Displays {
//		device, err := d.Open()
//
// # The file
//
// The file is TOML; unknown keys are errors. It has a section for each part,
// named by the part's kind. Each section may occur at most once. The lines of a
// Raspberry Pi are named by their numbers, for example GPIO17:
//
//	name = "Door of the workshop"
//	pi   = "zero-2-w"                # or 3b, 3b-plus, 4b; leave it out for another machine
//
//	[keypad.matrix]                  # bare contacts
//	rows        = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]
//	columns     = ["GPIO12", "GPIO16", "GPIO20"]
//	layout      = ["123", "456", "789", "*0#"]   # also L, the language, R and V, repeat and volume of speech, and a space for no key
//	stuck_after = "20s"              # optional
//	double_strike = "0s"             # optional: the same key does not count again within this time
//	repeat_after  = "0s"             # optional: * that is held for this time counts again,
//	repeat_every  = "0s"             # and then at this interval; 0s switches all three off
//	poll        = "10ms"             # optional: for lines that do not report edges
//	[keypad.usb]                     # number pads
//	match       = ""                 # part of the name; needed for a pad or keyboard with letters
//	stuck_after = "20s"              # optional, as are double_strike, repeat_after and repeat_every
//
//	[display.hd44780]                # characters, on six lines
//	rows = 2
//	columns = 16
//	rs   = "GPIO7"
//	e    = "GPIO8"
//	data = ["GPIO25", "GPIO24", "GPIO23", "GPIO18"]
//	rom  = "any"                     # or a00, a02; optional
//	[display.pcf8574]                # the same behind an I²C backpack
//	bus     = "/dev/i2c-1"
//	address = 0x27
//	rows    = 4
//	columns = 20
//	rom     = "any"
//	pins    = ["rs", "rw", "e", "light", "d4", "d5", "d6", "d7"]   # optional: where P0 to P7 go
//	light_active_low = false         # optional
//	[display.ssd1306]                # dots; or ssd1309, sh1106
//	bus     = "/dev/i2c-1"
//	address = 0x3c
//	text    = "normal"               # or large; optional
//	column_offset = 0                # optional; without it 2 on an SH1106, 0 on the others
//	[display.serlcd]                 # or lk204, dm-d110, which have no rows and columns
//	port    = "/dev/serial0"
//	baud    = 9600
//	rows    = 4
//	columns = 20
//
//	[buzzer.active]                  # sounds its own tone while it is on
//	pin        = "GPIO4"
//	active_low = false               # optional, here and below
//	[buzzer.piezo]                   # has no tone of its own
//	chip       = "/sys/class/pwm/pwmchip0"
//	channel    = 0
//	pin        = "GPIO18"            # where the channel comes out
//	[lamps]                          # at least one
//	green      = "GPIO17"
//	yellow     = "GPIO27"
//	red        = "GPIO22"
//	active_low = false
//	[cues.granted]                   # optional, in place of the built-in cue; also denied,
//	notes      = [[660, 90], [0, 50], [1050, 450]] # attention, reminder, key, refused, out-of-service
//	lamp       = "green"             # or yellow, red, none; of granted, denied and attention
//	[strike]
//	pin        = "GPIO26"
//	open       = "3s"                # the time of each opening
//	max        = "10s"               # the longest time without a pause
//	active_low = false
//	[tamper]
//	pin        = "GPIO21"
//	[watchdog]
//	device     = "/dev/watchdog"
//	timeout    = "15s"
//
// Load refuses a file in which a line, port or address has two uses. On a Pi it
// also refuses a line that is not on the header, a line that a used bus needs,
// and a strike whose line has a pull at reset that would open the door.
//
// A wrong PIN has the cue denied, like a person whom the hub does not let in, so that
// bystanders cannot tell them apart. Load refuses a [cues.wrong-pin] that differs.
//
// # Opening
//
// Load opens nothing. Each part is opened separately, so a part that is missing,
// or that another program holds, can be opened later. A program that opens a
// strike must call Guard first in main.
package board
