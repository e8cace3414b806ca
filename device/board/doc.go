// Package board reads what is wired to a machine from a file, checks it,
// and opens its parts.
//
//	b, err := board.Load("board.toml")
//	for _, d := range b.Displays {
//		device, err := d.Open()
//
// # The file
//
// It is TOML with strict keys: a section for each part, named by its kind. What
// is there may be, each at most once, with the lines of a Raspberry Pi by their
// numbers as GPIO17:
//
//	name = "Door of the workshop"
//	pi   = "zero-2-w"                # or 3b, 3b-plus, 4b; left out for another machine
//
//	[keypad.matrix]                  # bare contacts
//	rows        = ["GPIO5", "GPIO6", "GPIO13", "GPIO19"]
//	columns     = ["GPIO12", "GPIO16", "GPIO20"]
//	layout      = ["123", "456", "789", "*0#"]   # also L, the language, and a space for nothing
//	stuck_after = "20s"              # optional
//	double_strike = "0s"             # optional: the same key does not count again for so long
//	repeat_after  = "0s"             # optional: * that is held for so long counts again,
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
//	[display.ssd1306]                # or ssd1309, sh1106: dots
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
//	[buzzer.active]                  # has a tone of its own
//	pin        = "GPIO4"
//	active_low = false               # optional, here and below
//	[buzzer.piezo]                   # has none
//	chip       = "/sys/class/pwm/pwmchip0"
//	channel    = 0
//	pin        = "GPIO18"            # where the channel comes out
//	[lamps]                          # at least one
//	green      = "GPIO17"
//	yellow     = "GPIO27"
//	red        = "GPIO22"
//	active_low = false
//	[strike]
//	pin        = "GPIO26"
//	open       = "3s"                # at each opening
//	max        = "10s"               # however often it is told to open
//	active_low = false
//	[tamper]
//	pin        = "GPIO21"
//	[watchdog]
//	device     = "/dev/watchdog"
//	timeout    = "15s"
//
// A file is refused when a line, port or address has two tasks; on a Pi also
// when a line is not on the header, is needed by a bus that is used, or when
// the pull that it has from reset would open the door.
//
// # Opening
//
// Nothing is opened by Load. Each part is opened by itself, and one that is not
// there, or is held by another program, can be opened later. A program that
// opens a strike must call Guard first of all.
package board
