package frontpanel

import (
	"strings"
	"testing"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
	"smartkiosk/device/display/oled"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// Screens are laid out for the display of each section.
func TestFrames(t *testing.T) {
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		section board.Display
		rows    string
		layout  display.Layout
	}{
		{&board.PCF8574{Rows: 4, Columns: 20}, "Sett inn kortet|Brikken fram og opp.|Om lagring: tast 0.|Trykk * for English", display.Plain},
		{&board.HD44780{Rows: 2, Columns: 16}, "Sett inn kortet|English: *", display.Plain},
		{&board.SerLCD{Rows: 2, Columns: 16}, "Sett inn kortet|English: *", display.Plain},
		{&board.DMD110{}, "Sett inn kortet|English: *", display.Plain},
		{&board.LK204{}, "Sett inn kortet|Brikken fram og opp.|Om lagring: tast 0.|Trykk * for English", display.Plain},
		{&board.OLED{Chip: oled.SSD1306}, "Sett inn kortet|Brikken fram og opp.|Om lagring: tast 0.|Trykk * for English|", display.Heading},
		{&board.OLED{Chip: oled.SH1106, Text: "large"}, "Sett inn kortet|English: *", display.Large},
	} {
		f := frame(texts, kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"}, tt.section.Form(), screen.Hash)
		if got := strings.Join(f.Rows, "|"); got != tt.rows || f.Layout != tt.layout {
			t.Errorf("%s: %q in layout %d, want %q in %d", tt.section.Section(), got, f.Layout, tt.rows, tt.layout)
		}
	}
}

// The texts name Enter for a number pad, which has no #. They name both keys if there
// are both kinds of pad.
func TestOKKey(t *testing.T) {
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		keypads []board.Keypad
		rows    string
	}{
		{nil, "Tast PIN-koden|Avslutt: #"},
		{[]board.Keypad{&board.Matrix{}}, "Tast PIN-koden|Avslutt: #"},
		{[]board.Keypad{&board.USB{}}, "Tast PIN-koden|Avslutt: Enter"},
		{[]board.Keypad{&board.USB{}, &board.Matrix{}}, "Tast PIN-koden|Avslutt: #/Enter"},
		{[]board.Keypad{&board.Matrix{}, &board.USB{}}, "Tast PIN-koden|Avslutt: #/Enter"},
	} {
		asks := kiosk.Screen{ID: kiosk.ScreenPIN, Language: "nb"}
		f := frame(texts, asks, board.Form{Rows: 2, Columns: 16}, okKey(tt.keypads))
		if got := strings.Join(f.Rows, "|"); got != tt.rows {
			t.Errorf("%d keypads: %q, want %q", len(tt.keypads), got, tt.rows)
		}
	}
}
