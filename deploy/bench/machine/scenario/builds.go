//go:build linux

package scenario

// Where the machine has deploy/boards and the bench's own board files.
const (
	boards    = "/bench/boards/"
	ownBoards = "/bench/own-boards/"
)

// shortly is the short run: one visit.
var shortly = build{"short", boards + "zero2w-keypad-lcd.toml", []play{{"a kiosk that starts", begin}, {"a visit", granted}, {"the end", end}}}

// all is what is played. Each build has a machine of its own; so shared out, none
// takes much longer than the others, and those that take longest start first.
var all = []build{
	{"pi4", boards + "pi4-usbpad-oled.toml", []play{
		{"a kiosk that starts with nothing", bare},
		{"a technician who looks", looking},
		{"a number pad", numberPad},
		{"a bus that dies", deadBus},
		{"a kiosk that is killed", killed},
		{"the end", end},
	}},
	{"gpio-lcd", ownBoards + "keypad-gpiolcd.toml", []play{
		{"a kiosk that starts", begin},
		{"a key that sticks", stuckKey},
		{"a person who is slow", slow},
		{"the end", end},
	}},
	{"zero2w-panel", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", begin},
		{"a technician who looks", looking},
		{"nobody there", idle},
		{"a bus that dies", deadBus},
		{"a keypad line that sticks", stuckColumn},
		{"a housing that is opened", housing},
		{"the end", end},
	}},
	otherReaders,
	{"zero2w-cards", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", begin},
		{"a visit", granted},
		{"a wrong PIN", wrongPIN},
		{"another language", otherLanguage},
		{"a card of T=1", blockCard},
		{"a mute card", muteCard},
		{"a card that is pulled", pulledCards},
		{"a reader that is unplugged", reader},
		{"a reader whose loss is told late", lateReader},
		{"pcscd that is killed", service},
		{"a hub that is away", withoutHub},
		{"the end", end},
	}},
	{"displays", ownBoards + "two-pads-three-displays.toml", []play{
		{"a watchdog that another program has", lateWatchdog},
		{"three displays", severalDisplays},
		{"another keypad", otherPad},
		{"displays that are pulled", pulledDisplays},
		{"the end", end},
	}},
	{"zero2w-door", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", begin},
		{"a kiosk that is killed", killed},
		{"a kiosk that hangs", hung},
		{"a guardian that is killed", guardianKilled},
		{"a kiosk and its guardian that are killed", bothKilled},
		{"a display that is pulled", pulledDisplay},
		{"the end", end},
	}},
	{"pi3", boards + "pi3-keypad-customerdisplay.toml", []play{
		{"a kiosk that starts", begin},
		{"a visit", granted},
		{"a technician who looks", looking},
		{"nobody there", idle},
		{"a display that is pulled", pulledDisplay},
		{"a kiosk that hangs for good", hungForGood},
		{"the end", end},
	}},
}
