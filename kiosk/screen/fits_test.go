package screen

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"smartkiosk/kiosk"

	"pgregory.net/rapid"
)

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
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeSign, Typed: 6})
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
			for _, service := range []kiosk.Service{kiosk.ServiceChoice, kiosk.ServiceChange, kiosk.ServiceUnblock, kiosk.ServiceDocument} {
				add(kiosk.Screen{ID: id, Service: service})
			}
			add(kiosk.Screen{ID: id, Service: kiosk.ServiceDocument, Decision: kiosk.DecisionRefused})
		case kiosk.ScreenDocuments:
			add(kiosk.Screen{ID: id, Menu: [kiosk.MaxEntries]kiosk.MenuEntry{
				{Service: kiosk.ServiceDocument, Label: "Årsmelding"}, {Service: kiosk.ServiceDocument, Label: "Ordre 4711"}}})
		case kiosk.ScreenDocument:
			add(kiosk.Screen{ID: id, Title: "Ordre", Text: "To esker penner.\nFrist: 1. mai ", Part: 1, Parts: 2})
		case kiosk.ScreenDecide:
			add(kiosk.Screen{ID: id, Read: true})
			add(kiosk.Screen{ID: id, Read: true, Kind: kiosk.PaymentDocument})
			add(kiosk.Screen{ID: id, Read: true, Kind: kiosk.OrderDocument})
			add(kiosk.Screen{ID: id})
		case kiosk.ScreenLink:
			add(kiosk.Screen{ID: id, Page: "HTTPS://LOGIN.EXAMPLE.NO/ABC234", ByPhone: true})
		case kiosk.ScreenOnPhone, kiosk.ScreenNoPhone:
			add(kiosk.Screen{ID: id, ByPhone: true})
		case kiosk.ScreenDigits:
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeDigits, ByPhone: true})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeDigits, ByPhone: true, WrongPIN: true, Tries: 2, TriesKnown: true})
			add(kiosk.Screen{ID: id, Asks: kiosk.CodeDigits, ByPhone: true, WrongPIN: true, Tries: 1, TriesKnown: true})
		case kiosk.ScreenChecking:
			add(kiosk.Screen{ID: id})
			add(kiosk.Screen{ID: id, ByPhone: true})
		case kiosk.ScreenHosted:
			add(kiosk.Screen{ID: id, ByPhone: true})
			add(kiosk.Screen{ID: id, Notice: kiosk.NoticeLeave})
		case kiosk.ScreenWelcome, kiosk.ScreenCardInUse:
			add(kiosk.Screen{ID: id})
			add(kiosk.Screen{ID: id, ByPhone: true})
			if id == kiosk.ScreenWelcome {
				add(kiosk.Screen{ID: id, ByPhone: true, Hosted: true})
			}
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
			add(kiosk.Screen{ID: id, Name: "Solveig P.", ByPhone: true, Sandbox: true})
		case kiosk.ScreenDenied, kiosk.ScreenFailed:
			add(kiosk.Screen{ID: id})
			for _, r := range reasons(t) {
				add(kiosk.Screen{ID: id, Reason: r})
			}
			add(kiosk.Screen{ID: id, Reason: kiosk.Blocked, Unblock: kiosk.AtKiosk})
			add(kiosk.Screen{ID: id, Reason: kiosk.Blocked, Unblock: kiosk.OnPage})
			if id == kiosk.ScreenFailed {
				add(kiosk.Screen{ID: id, Reason: kiosk.HubSilent, Decision: kiosk.DecisionSigned})
			}
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
				if s.ID == kiosk.ScreenLink {
					want = "login.example.no /ABC234" // the code stands together
					if form.Rows > 2 {
						want = words.Heading + " " + want
					}
				}
				if situationOf(s) == "welcome-phone" && form.Rows == 2 {
					want = words.Short + " " + c.language(c.Next(l.Tag)).Name + ": *"
				}
				if s.ID == kiosk.ScreenDocument {
					want = words.Heading + " " + strings.Join(strings.Fields(s.Text), " ")
					if form.Rows == 2 {
						want = strings.Join(strings.Fields(s.Text), " ")
					}
				}
				if s.ID == kiosk.ScreenMenu || s.ID == kiosk.ScreenDocuments {
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
			Page:       rapid.OneOf(rapid.String(), rapid.Just("HTTPS://A-VERY-LONG-NAME-OF-A-LOGIN-SERVICE.EXAMPLE.NO/ABC234")).Draw(t, "page"),
			ByPhone:    rapid.Bool().Draw(t, "by phone"),
			Sandbox:    rapid.Bool().Draw(t, "sandbox"),
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
