//go:build linux

package scenario

// Folders of board files in the machine: those of deploy/boards, and the
// bench's own.
const (
	boards    = "/bench/boards/"
	ownBoards = "/bench/own-boards/"
)

var sets = map[Set][]build{All: all, RealTime: realTime}

var realTime = []build{
	{"idle-zero2w", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", startUp},
		{"nobody there", idleCost},
	}},
	{"idle-pi3", boards + "pi3-keypad-customerdisplay.toml", []play{
		{"a kiosk that starts", startUp},
		{"nobody there", idleCost},
	}},
}

// all is in the order in which the machines are started: those that take
// longest first, so that no processor is idle in the end.
var all = []build{
	{"zero2w-panel", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", startUp},
		{"a technician who inspects the panel", inspection},
		{"nobody there", idle},
		{"a bus that is shorted", shortedBus},
		{"a keypad line that is shorted", shortedColumn},
		{"a housing that is opened", housing},
		{"the end", shutDown},
	}},
	{"gpio-lcd", ownBoards + "keypad-gpiolcd.toml", []play{
		{"a kiosk that starts", startUp},
		{"a key that is jammed", jammedKey},
		{"a person who is slow", slowPerson},
		{"the end", shutDown},
	}},
	{"zero2w-cards", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", startUp},
		{"a visit", granted},
		{"a wrong PIN", wrongPIN},
		{"another language", otherLanguage},
		{"a card of T=1", blockCard},
		{"a mute card", muteCard},
		{"a card that is pulled", pulledCards},
		{"a reader that is unplugged", unpluggedReader},
		{"a reader whose loss is reported late", lateReader},
		{"pcscd that is killed", killedPCSC},
		{"a hub that is away", withoutHub},
		{"the end", shutDown},
	}},
	otherReaders,
	{"zero2w-door", boards + "zero2w-keypad-lcd.toml", []play{
		{"a kiosk that starts", startUp},
		{"a kiosk that is killed", killed},
		{"a kiosk that hangs", hung},
		{"a guardian that is killed", guardianKilled},
		{"a kiosk and its guardian that are killed", bothKilled},
		{"a kiosk and its guardian that are stopped", bothStopped},
		{"a display that is pulled", pulledDisplay},
		{"the end", shutDown},
	}},
	{"pi4", boards + "pi4-usbpad-oled.toml", []play{
		{"a kiosk that starts with nothing", bare},
		{"a technician who inspects the panel", inspection},
		{"a number pad", numberPad},
		{"a bus that is shorted", shortedBus},
		{"a kiosk that is killed", killed},
		{"the end", shutDown},
	}},
	{"displays", ownBoards + "two-pads-three-displays.toml", []play{
		{"a watchdog that another program has", lateWatchdog},
		{"three displays", severalDisplays},
		{"the other keypad", otherPad},
		{"displays that are pulled", pulledDisplays},
		{"the end", shutDown},
	}},
	{"pi3", boards + "pi3-keypad-customerdisplay.toml", []play{
		{"a kiosk that starts", startUp},
		{"a visit", granted},
		{"a technician who inspects the panel", inspection},
		{"nobody there", idle},
		{"a display that is pulled", pulledDisplay},
		{"a kiosk that hangs for good", hungForGood},
		{"the end", shutDown},
	}},
}
