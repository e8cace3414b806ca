package screen

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"smartkiosk/kiosk"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt")

func catalogue(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reasons parses the constants of kiosk.go, so that the test covers every reason.
func reasons(t *testing.T) []kiosk.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../kiosk.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []kiosk.Reason
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Reason" {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, kiosk.Reason(value))
			}
		}
		return true
	})
	if len(all) < 20 {
		t.Fatalf("found only %d reasons in kiosk.go", len(all))
	}
	return all
}

// situations returns a screen for each situation, in the order in which a person may
// see them.
func situations(t *testing.T) []kiosk.Screen {
	t.Helper()
	var all []kiosk.Screen
	seen := map[situation]bool{}
	add := func(s kiosk.Screen) {
		if to := situationOf(s); !seen[to] {
			seen[to] = true
			all = append(all, s)
		}
	}
	for _, id := range kiosk.Screens {
		switch id {
		case kiosk.ScreenPIN:
			add(kiosk.Screen{ID: id, Typed: 4})
			add(kiosk.Screen{ID: id, Tries: 1, TriesKnown: true})
			add(kiosk.Screen{ID: id, Typed: 2, Tries: 1, TriesKnown: true, TimeShort: true})
			add(kiosk.Screen{ID: id, OnReader: true, TimeShort: true})
			add(kiosk.Screen{ID: id, OnReader: true})
			add(kiosk.Screen{ID: id, OnReader: true, Tries: 1, TriesKnown: true})
			add(kiosk.Screen{ID: id, OnReader: true, WrongPIN: true})
			add(kiosk.Screen{ID: id, WrongPIN: true})
			add(kiosk.Screen{ID: id, WrongPIN: true, Tries: 2, TriesKnown: true})
			add(kiosk.Screen{ID: id, WrongPIN: true, Tries: 1, TriesKnown: true})
			add(kiosk.Screen{ID: id, Typed: 1, WrongPIN: true, Tries: 2, TriesKnown: true})
			add(kiosk.Screen{ID: id, Typed: 2, Notice: kiosk.NoticeTooShort, Digits: 12})
			add(kiosk.Screen{ID: id, Typed: 4, Notice: kiosk.NoticeTooLong, Digits: 16})
			add(kiosk.Screen{ID: id, Notice: kiosk.NoticeLeave})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeOld})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeNew, Typed: 4})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeRepeat})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeNew, Notice: kiosk.NoticeDiffers})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeNew, Notice: kiosk.NoticeSame})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodePUK, Typed: 8})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodePUK, WrongPIN: true})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodePUK, WrongPIN: true, Tries: 9, TriesKnown: true})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodePUK, WrongPIN: true, Tries: 1, TriesKnown: true})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodePUK, Typed: 1, WrongPIN: true, Tries: 1, TriesKnown: true})
		case kiosk.ScreenMenu:
			add(kiosk.Screen{ID: id, Menu: [kiosk.MaxEntries]kiosk.MenuEntry{
				{Service: kiosk.ServiceChoice, Label: "Blodprøve"}, {Service: kiosk.ServiceChoice, Label: "Røntgen"},
				{Service: kiosk.ServiceChoice, Label: "Besøk avd. 14B"}, {Service: kiosk.ServiceChange}}, First: 3})
		case kiosk.ScreenPage:
			add(kiosk.Screen{ID: id, Service: kiosk.ServiceChange, Page: "https://www.buypass.no"})
		case kiosk.ScreenDone:
			for _, service := range []kiosk.Service{kiosk.ServiceChoice, kiosk.ServiceChange, kiosk.ServiceUnblock} {
				add(kiosk.Screen{ID: id, Service: service})
			}
		case kiosk.ScreenWelcome, kiosk.ScreenCardInUse:
			add(kiosk.Screen{ID: id})
			add(kiosk.Screen{ID: id, Recorded: true})
		case kiosk.ScreenRemoveCard:
			add(kiosk.Screen{ID: id})
			add(kiosk.Screen{ID: id, Insistent: true})
		case kiosk.ScreenOutOfService:
			add(kiosk.Screen{ID: id, Reason: kiosk.OutboxFailed})
			// The same text with another corner.
			all = append(all, kiosk.Screen{ID: id, Reason: kiosk.ReaderLost, Wanted: "Twin", Found: "ACS ACR39U ICC Reader 00 00"})
		case kiosk.ScreenSetup:
			details := map[kiosk.Setup]string{
				kiosk.SetupFiles: "kiosk.toml", kiosk.SetupSettings: "line 2: bord",
				kiosk.SetupCable: "eth0", kiosk.SetupAddress: "eth0",
				kiosk.SetupDNS: "hub.example.org", kiosk.SetupHub: "hub.example.org", kiosk.SetupCA: "hub.example.org",
			}
			for _, s := range kiosk.Setups {
				add(kiosk.Screen{ID: id, Setup: s, Detail: details[s]})
			}
		case kiosk.ScreenGranted:
			add(kiosk.Screen{ID: id, Name: "Solveig P."})
			add(kiosk.Screen{ID: id, Name: "Solveig P.", Offline: true})
			add(kiosk.Screen{ID: id, Name: "Solveig P.", ByPhone: true})
		case kiosk.ScreenDenied, kiosk.ScreenFailed:
			add(kiosk.Screen{ID: id})
			for _, r := range reasons(t) {
				add(kiosk.Screen{ID: id, Reason: r})
			}
			add(kiosk.Screen{ID: id, Reason: kiosk.Blocked, Unblock: kiosk.AtKiosk})
			add(kiosk.Screen{ID: id, Reason: kiosk.Blocked, Unblock: kiosk.OnPage})
		default:
			add(kiosk.Screen{ID: id})
		}
	}
	for s := range tones {
		if !seen[s] {
			t.Errorf("situation %q belongs to no screen", s)
		}
	}
	return all
}

// TestEveryScreenFits lays out every screen in every language for every form and
// keypad, and checks that no word is cut off.
func TestEveryScreenFits(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		for _, s := range situations(t) {
			s.Language = l.Tag
			for name, form := range map[string]Form{
				"16x2": Text16x2, "20x4": Text20x4, "128x64": Graphic128x64,
				"16x2, number pad": ends(Text16x2, Enter), "20x4, number pad": ends(Text20x4, Enter), "128x64, number pad": ends(Graphic128x64, Enter),
				"16x2, both pads": ends(Text16x2, HashOrEnter), "20x4, both pads": ends(Text20x4, HashOrEnter), "128x64, both pads": ends(Graphic128x64, HashOrEnter),
			} {
				ok := cmp.Or(form.OK, "#")
				words := c.words(s, ok)
				if form.OK == Enter && strings.Contains(words.Short+words.Text+words.Hint, "#") {
					t.Errorf("%s %s: a number pad has no #: %q", l.Tag, situationOf(s), words)
				}
				rows := c.Lines(s, form)
				checkRows(t, rows, form)
				want := words.Heading + " " + words.Text
				if form.Rows == 2 {
					want = words.Heading + " " + words.Short
				}
				if s.ID == kiosk.ScreenMenu {
					entries := menuRows(c.language(l.Tag).entries(s), s.First, form.Columns, max(form.Rows-2, 1))
					want = words.Heading + " " + strings.Join(entries, " ")
					if form.Rows == 2 {
						want = words.Short + " " + entries[0]
					} else if rows[form.Rows-1] != words.Hint {
						t.Errorf("%s on %s: the last row %q is not %q", l.Tag, name, rows[form.Rows-1], words.Hint)
					}
				}
				if s.ID == kiosk.ScreenOutOfService {
					if form.Rows == 2 {
						want = words.Heading // the code has replaced the rest
					}
					code := string(s.Reason)
					if s.Found != "" { // what is looked for, and a reader that is there
						code = map[int]string{16: "Twin? ACS ACR39U", 20: "Twin? ACS ACR39U ICC", 21: "Twin? ACS ACR39U ICC"}[form.Columns]
					}
					if !strings.HasSuffix(rows[form.Rows-1], code) || len(rows[form.Rows-1]) != form.Columns {
						t.Errorf("%s on %s: the code %s is not in the corner of %q", l.Tag, name, code, rows)
					}
				}
				otherKeys := s.TimeShort || s.Notice == kiosk.NoticeTooLong || s.Notice == kiosk.NoticeLeave
				if s.Typed > 0 && form.Rows == 2 && !otherKeys {
					want = words.Heading
				}
				want = strings.NewReplacer("{name}", s.Name, "{detail}", s.Detail).Replace(want)
				got := strings.Join(strings.Fields(strings.Join(rows, " ")), " ")
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s %s on %s: shows %q, want %q", l.Tag, situationOf(s), name, rows, want)
				}
				entry := strings.Repeat("*", s.Typed)
				if form.Rows > 2 {
					entry = promptFor(s.Asks) + entry
				}
				if end := "OK: " + ok; len(entry)+len(end) < form.Columns && !otherKeys { // OK does something else then
					entry += fmt.Sprintf("%*s", form.Columns-len(entry), end)
				}
				if s.Typed > 0 && (form.Rows > 2 || !otherKeys) && rows[form.Rows-1] != entry {
					t.Errorf("%s %s on %s: last row %q, want %q", l.Tag, situationOf(s), name, rows[form.Rows-1], entry)
				}
			}
			f := c.Frame(s)
			if f.Heading == "" || f.Text == "" && len(f.Menu) == 0 || f.Tone == "" || f.Lang != l.Tag || f.Name != string(s.ID) {
				t.Errorf("%s %s: incomplete frame %+v", l.Tag, situationOf(s), f)
			}
			all := f.Heading + f.Text + f.Hint + f.EntryLabel + strings.NewReplacer("{name}", "", "{detail}", "").Replace(c.words(s, Hash).Short)
			if strings.Contains(all, "{") {
				t.Errorf("%s %s: a placeholder is left in %q", l.Tag, situationOf(s), all)
			}
		}
	}
}

// ends returns the form with ok as the label of the key that ends a PIN.
func ends(f Form, ok string) Form {
	f.OK = ok
	return f
}

func checkRows(t interface{ Errorf(string, ...any) }, rows []string, form Form) {
	if len(rows) != form.Rows {
		t.Errorf("%d rows, want %d: %q", len(rows), form.Rows, rows)
	}
	for i, row := range rows {
		width := form.Columns
		if i == 0 {
			width = form.Heading
		}
		if n := len([]rune(row)); n > width {
			t.Errorf("row %d has %d letters, room for %d: %q", i, n, width, row)
		}
		if strings.ContainsFunc(row, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("row %d is not printable: %q", i, row)
		}
	}
}

// TestReasonStays checks that a display shows the hint to take the card together with
// the reason of a refusal. A display of two rows shows one after the other.
func TestReasonStays(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		for _, s := range situations(t) {
			switch s.ID {
			case kiosk.ScreenDenied, kiosk.ScreenFailed, kiosk.ScreenTimedOut, kiosk.ScreenCancelled:
			default:
				continue
			}
			if _, byPhone := logins[s.Reason]; byPhone {
				continue // there is no card
			}
			s.Language = l.Tag
			words := c.words(s, Hash)
			for _, form := range []Form{Text16x2, Text20x4, Graphic128x64} {
				rows := c.Lines(s, form)
				s.TakeCard = true
				reminder := c.Lines(s, form)
				s.TakeCard = false
				if rows[0] != words.Heading || reminder[0] != words.Heading {
					t.Errorf("%s %s: the reason is missing in %q, %q", l.Tag, situationOf(s), rows, reminder)
				}
				if words.Hint == "" || strings.Join(strings.Fields(strings.Join(reminder[1:], " ")), " ") == "" ||
					!strings.HasSuffix(strings.TrimSpace(strings.Join(reminder, " ")), words.Hint) {
					t.Errorf("%s %s, %d rows: the hint %q is missing in %q", l.Tag, situationOf(s), form.Rows, words.Hint, reminder)
				}
			}
		}
	}
}

// TestPINAnswersEveryKey checks that each answer to a key during PIN entry is
// visible on every display, together with or in place of the digits.
func TestPINAnswersEveryKey(t *testing.T) {
	c := catalogue(t)
	for _, form := range []Form{Text16x2, Text20x4, Graphic128x64} {
		for want, s := range map[string]kiosk.Screen{
			"***":              {Typed: 3},
			"2 forsøk igjen":   {Typed: 1, WrongPIN: true, Tries: 2, TriesKnown: true},
			"Siste forsøk":     {Typed: 1, WrongPIN: true, Tries: 1, TriesKnown: true},
			"Minst 4 sifre":    {Typed: 2, Notice: kiosk.NoticeTooShort, Digits: 4},
			"Høyst 16 sifre":   {Typed: 16, Notice: kiosk.NoticeTooLong, Digits: 16},
			"Vil du avbryte?":  {Notice: kiosk.NoticeLeave},
			"Vil du avbryte? ": {Notice: kiosk.NoticeLeave, OnReader: true},
			"**":               {Typed: 2, Notice: kiosk.NoticeTooShort, Digits: 4},
		} {
			s.ID, s.Language = kiosk.ScreenPIN, "nb"
			if rows := c.Lines(s, form); !strings.Contains(strings.Join(rows, "|"), strings.TrimSpace(want)) {
				t.Errorf("%d rows: %q is missing in %q", form.Rows, want, rows)
			}
		}
	}
}

// TestAnyScreenFits does the same as TestEveryScreenFits for unexpected values: names from hostile
// certificates, unknown reasons, endless PINs.
func TestAnyScreenFits(t *testing.T) {
	c := catalogue(t)
	rapid.Check(t, func(t *rapid.T) {
		s := kiosk.Screen{
			ID:         rapid.OneOf(rapid.SampledFrom(kiosk.Screens), rapid.Just(kiosk.ScreenID("no such screen"))).Draw(t, "id"),
			Language:   rapid.SampledFrom([]string{"nb", "nn", "se", "en", "", "tlh"}).Draw(t, "language"),
			Typed:      rapid.IntRange(-1, 100).Draw(t, "typed"),
			Tries:      rapid.IntRange(0, 15).Draw(t, "tries"),
			TriesKnown: rapid.Bool().Draw(t, "known"),
			WrongPIN:   rapid.Bool().Draw(t, "wrong"),
			OnReader:   rapid.Bool().Draw(t, "on reader"),
			TimeShort:  rapid.Bool().Draw(t, "time short"),
			Reason:     kiosk.Reason(rapid.String().Draw(t, "reason")),
			Name:       rapid.String().Draw(t, "name"),
			Offline:    rapid.Bool().Draw(t, "offline"),
			Notice:     rapid.SampledFrom(append(kiosk.Notices, "")).Draw(t, "notice"),
			Digits:     rapid.IntRange(0, kiosk.MaxPINDigits).Draw(t, "digits"),
			TakeCard:   rapid.Bool().Draw(t, "take card"),
			Insistent:  rapid.Bool().Draw(t, "insistent"),
			Setup:      rapid.SampledFrom(append(kiosk.Setups, "other")).Draw(t, "setup"),
			Detail:     rapid.String().Draw(t, "detail"),
			Asks:       rapid.SampledFrom(kiosk.Codes).Draw(t, "asks"),
			Page:       rapid.String().Draw(t, "page"),
			First:      rapid.IntRange(0, 8).Draw(t, "first"),
			Service:    kiosk.Service(rapid.SampledFrom([]string{"", "choice", "change-pin", "other"}).Draw(t, "service")),
			Menu:       [kiosk.MaxEntries]kiosk.MenuEntry{{Service: "choice", Label: rapid.String().Draw(t, "label")}, {Service: "other"}, {Service: "change-pin"}},
		}
		for _, form := range []Form{Text16x2, Text20x4, Graphic128x64, ends(Text16x2, Enter), ends(Text16x2, HashOrEnter)} {
			checkRows(t, c.Lines(s, form), form)
		}
		f := c.Frame(s)
		if n := len([]rune(f.Text)); n > 100 {
			t.Errorf("text of %d letters", n)
		}
		if s.TakesPIN() != (f.EntryLabel != "") || s.TakesPIN() != (f.Entry == s.Typed) && s.Typed >= 0 {
			t.Errorf("%s: entry %d labelled %q", s.ID, f.Entry, f.EntryLabel)
		}
	})
}

// TestPictures compares a picture of every screen on every display with golden
// files, in which a translator can see the effect of a change.
func TestPictures(t *testing.T) {
	c := catalogue(t)
	for _, l := range c.languages {
		var b strings.Builder
		for _, s := range situations(t) {
			s.Language = l.Tag
			fmt.Fprintf(&b, "%s\n", situationOf(s))
			forms := []Form{Text16x2, Text20x4, Graphic128x64}
			for row := range Graphic128x64.Rows {
				line := ""
				for _, form := range forms {
					picture := ""
					if row < form.Rows {
						picture = fmt.Sprintf("|%-*s|", form.Columns, c.Lines(s, form)[row])
					}
					line += fmt.Sprintf(" %-*s", form.Columns+2, picture)
				}
				fmt.Fprintln(&b, strings.TrimRight(line, " "))
			}
			fmt.Fprintln(&b)
		}
		golden := "testdata/" + l.Tag + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs: look at `go test -update` and git diff", golden)
		}
	}
}

func TestEveryReasonIsGrouped(t *testing.T) {
	ownScreen := map[kiosk.Reason]bool{ // cancelled, timed-out
		kiosk.ByHolder: true, kiosk.CardRemoved: true, kiosk.LoginPage: true, kiosk.PINTimeout: true, kiosk.VisitTimeout: true,
	}
	for _, r := range reasons(t) {
		_, denied := denials[r]
		_, failed := failures[r]
		_, login := logins[r]
		if !denied && !failed && !login && !ownScreen[r] {
			t.Errorf("reason %q has no text that says what to do", r)
		}
	}
	told := map[situation]bool{}
	for _, s := range denials {
		told[s] = true
	}
	if len(told) > 10 {
		t.Errorf("%d texts for a denial: a few are enough", len(told))
	}
}

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

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		columns int
		want    string
	}{
		{"Kari Nordmann", 16, "Kari Nordmann"},
		{"Kari Anne Sofie Nordmann", 20, "Kari Nordmann"},
		{"Kari Anne Nordmann-Haugen", 16, "Kari N."},
		{"Bartholomeus-Kristoffer Ås", 16, "Bartholomeus-Kri"},
		{"", 16, ""},
	} {
		if got := shorten(tt.name, tt.columns); got != tt.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", tt.name, tt.columns, got, tt.want)
		}
	}
}

func TestNext(t *testing.T) {
	c := catalogue(t)
	for tag, want := range map[string]string{"nb": "en", "en": "nn", "nn": "se", "se": "nb", "xx": "nb"} {
		if got := c.Next(tag); got != want {
			t.Errorf("after %q comes %q, want %q", tag, got, want)
		}
	}
	for _, tag := range []string{"nb", "en", "nn", "se"} {
		if !c.Has(tag) {
			t.Errorf("language %q is missing", tag)
		}
	}
	if c.Has("xx") {
		t.Error("Has knows the language xx")
	}
}

func TestLoadRefuses(t *testing.T) {
	whole, err := embedded.ReadFile("texts/nb.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"not TOML", `tag = "nb"`, `tag`, "cannot load texts/nb.toml: line 28, column 4: toml: expected '='"},
		{"another tag", `tag = "nb"`, `tag = "nn"`, `tag "nn" differs from the file's name`},
		{"no name", `name = "Bokmål"`, `name = ""`, "name and all of [keys] must be filled in"},
		{"no place", "order = 1\n", "", "cannot load texts/nb.toml: order is 0, but the languages must count from 1 without a gap"},
		{"no voice", `voice = "nb"`, `voice = ""`, "cannot load texts/nb.toml: [speech] has neither a voice and a dot, nor a notice and another language that has one"},
		{"no key name", `ok = "OK"`, ``, "name and all of [keys] must be filled in"},
		{"misspelt key", `short = "Vent litt"`, `shrot = "Vent litt"`, `unknown key "screens.checking.shrot"`},
		{"text missing", `heading = "Avbrutt"`, ``, `screen "cancelled" lacks a heading, short or text`},
		{"screen too many", `[keys]`, "[screens.mislaid]\nheading = \"x\"\n[keys]", `unknown screen "mislaid"`},
	} {
		file := strings.Replace(string(whole), tt.old, tt.new, 1)
		_, err := load(fstest.MapFS{"texts/nb.toml": {Data: []byte(file)}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := load(fstest.MapFS{}); err == nil || err.Error() != "cannot load texts: there is no language" {
		t.Errorf("no language: %v", err)
	}
}
