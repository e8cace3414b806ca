package screen

import (
	"reflect"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// TestBody checks that a sentence begins a new row if there is room, and that the
// hint has priority over that.
func TestBody(t *testing.T) {
	for _, tt := range []struct {
		text, hint    string
		columns, room int
		want          string
	}{
		{"One moment. Leave it in.", "", 20, 3, "One moment.|Leave it in."},
		{"One moment. Wait.", "", 20, 3, "One moment. Wait."},
		{"One moment. Leave it in.", "", 20, 1, "One moment. Leave it"},
		{"Aaaa bbbb cccc. Dddd eeee ffff gggg. H i.", "Go.", 20, 3, "Aaaa bbbb cccc. Dddd|eeee ffff gggg. H i.|Go."},
		{"Aaaa bbbb cccc. Dddd eeee ffff gggg. H i.", "Go.", 20, 4, "Aaaa bbbb cccc.|Dddd eeee ffff gggg.|H i.|Go."},
		{"Gone for good. Ask somebody else.", "Now go away from here.", 20, 3, "Gone for good.|Ask somebody else."},
		{"No. Æsj. 1", "", 8, 2, "No. Æsj.|1"},
	} {
		if got := strings.Join(body(tt.text, tt.hint, tt.columns, tt.room), "|"); got != tt.want {
			t.Errorf("%q in %d rows: %q, want %q", tt.text, tt.room, got, tt.want)
		}
	}
}

// TestPromptRow checks the row with the prompt and the digits.
func TestPromptRow(t *testing.T) {
	for typed, want := range map[int]string{
		-1: "PIN: _", 0: "PIN: _", 1: "PIN: *         OK: #", 4: "PIN: ****      OK: #", 10: "PIN: **********", 99: "PIN: ***************",
	} {
		if got := promptRow("PIN: ", typed, "OK: #", 20); got != want {
			t.Errorf("%d digits: %q, want %q", typed, got, want)
		}
	}
}

// TestEntryRow checks that the digits have priority over the label of the OK key.
func TestEntryRow(t *testing.T) {
	for typed, want := range map[int]string{
		-1: "", 0: "", 1: "*         OK: #", 9: "********* OK: #", 10: "**********", 15: "***************", 99: "***************",
	} {
		if got := entryRow(typed, "OK: #", 15); got != want {
			t.Errorf("%d digits: %q, want %q", typed, got, want)
		}
	}
}

func TestFrame(t *testing.T) {
	c := catalogue(t)
	got := c.Frame(kiosk.Screen{ID: kiosk.ScreenPIN, Language: "en", Typed: 2, WrongPIN: true, Tries: 2, TriesKnown: true})
	want := Frame{
		Name: "pin", Lang: "en", Heading: "2 tries left", Text: "Finish with #. Correct with *.", Tone: "attention",
		Entry: 2, EntryLabel: "2 digits typed",
		Keypad: "Keys", ClearKey: "Correct or cancel", OKKey: "OK", NextLang: "nn", NextLanguage: "Nynorsk",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for wanted, corner := range map[string]string{
		"Twin":                   "Twin? ACS ACR39U ICC Reader 00 00",
		strings.Repeat("W", 100): strings.Repeat("W", 30) + "? ACS ACR39U ICC Reader 00 00",
	} {
		s := kiosk.Screen{ID: kiosk.ScreenOutOfService, Reason: kiosk.ReaderLost, Wanted: wanted, Found: "ACS ACR39U ICC Reader 00 00"}
		if got := c.Frame(s).Corner; got != corner {
			t.Errorf("the corner is %q, want %q", got, corner)
		}
		if got := c.Lines(s, Text16x2)[1]; len(got) != 16 {
			t.Errorf("the corner of two rows is %q", got)
		}
	}
	got = c.Frame(kiosk.Screen{ID: kiosk.ScreenGranted, Language: "nb", Name: "Kari\x00\u202e Nordmann"})
	if got.Heading != "Velkommen" || got.Text != "Kari Nordmann" || got.Entry != -1 || got.EntryLabel != "" {
		t.Errorf("granted: %+v", got)
	}
}
