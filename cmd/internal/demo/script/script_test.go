package script

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk"
)

// Every line that is wrong is refused before anything is played.
func TestParseRefuses(t *testing.T) {
	for script, want := range map[string]string{
		"inset valid":               `s:1: cannot read "inset valid"`,
		"\n# fine\ninsert":          `s:3: write it as "insert CARD"`,
		"insert valid expired":      `write it as "insert CARD"`,
		"keys 12a4":                 `there is no key 'a'`,
		"keys":                      `write it as "keys 1234#"`,
		"hub sideways":              `up or down, not "sideways"`,
		"wait long":                 `"long" is not a duration`,
		"wait -1s":                  `"-1s" is not a duration`,
		"expect":                    `cannot read "expect"`,
		"expect luck":               `cannot read "expect luck"`,
		"expect screen pim":         `there is no screen "pim"`,
		"expect verdict maybe":      `granted or denied, not "maybe"`,
		"expect verdict denied a b": `write it as "expect verdict`,
		"expect feed -1":            `"-1" is not a number of events`,
		"remove it":                 `write it as "remove"`,
	} {
		if _, err := Parse("s", strings.NewReader(script)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", script, err, want)
		}
	}
}

func TestParseComments(t *testing.T) {
	s, err := Parse("s", strings.NewReader("# one\n\n  # two\nkeys # # OK\nkeys 1234# # the PIN\nexpect verdict denied # whatever\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.steps) != 3 {
		t.Errorf("%d steps", len(s.steps))
	}
}

// deadMachine is one on which nothing happens.
type deadMachine struct{}

func (deadMachine) Insert(card string) error {
	if card != "valid" {
		return errors.New("no such card")
	}
	return nil
}
func (deadMachine) Remove()                          {}
func (deadMachine) Inserted() string                 { return "" }
func (deadMachine) SetHubReachable(bool)             {}
func (deadMachine) Outcomes() (int, <-chan struct{}) { return 0, nil }

func (deadMachine) OpenPhone() error             { return errors.New("no link") }
func (deadMachine) LogInOnPhone(string) error    { return errors.New("no page") }
func (deadMachine) PhoneDigits() (string, error) { return "", errors.New("no digits") }
func (deadMachine) PhoneShows() (string, error)  { return "nothing", nil }
func (deadMachine) SetBroker(string) error       { return errors.New("no such state") }
func (deadMachine) Later(time.Duration)          {}

// What does not come is waited for, and then an error that says what there is
// instead.
func TestPlayGivesUp(t *testing.T) {
	for script, want := range map[string]string{
		"insert golden":                   "s:1: no such card",
		"insert valid":                    "s:1: the kiosk does not notice the card: the screen is out-of-service (reader-lost)",
		"keys 1":                          "s:1: no screen accepts keys: the screen is out-of-service (reader-lost)",
		"expect screen pin":               "s:1: expected screen pin, got out-of-service (reader-lost)",
		"expect verdict granted":          "s:1: expected verdict granted, but there is no verdict",
		"wait 1h\nexpect feed 1":          "s:2: expected 1 outcomes in the feed, got 0",
		"phone open":                      "s:1: expected screen phone-link, got out-of-service (reader-lost)",
		"phone login solveig":             "s:1: no page",
		"digits":                          "s:1: expected screen phone-digits, got",
		"expect phone two words":          `s:1: expected the phone to show "two words", got "nothing"`,
		"broker asleep":                   "s:1: no such state",
		"later 61s\nexpect phone nothing": "",
		"expect screen out-of-service":    "",
		"expect feed 0\nremove\nhub down": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			s, err := Parse("s", strings.NewReader(script))
			if err != nil {
				t.Fatal(err)
			}
			p := NewPanel()
			p.Show(kiosk.Screen{ID: kiosk.ScreenOutOfService, Reason: kiosk.ReaderLost})
			err = s.Play(context.Background(), deadMachine{}, p)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: %v, want %s", script, err, want)
			}
		})
	}
}

// A verdict counts for the visit that goes on, not for one before.
func TestVerdictOfThisVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Parse("s", strings.NewReader("insert valid\nexpect verdict denied expired"))
		if err != nil {
			t.Fatal(err)
		}
		p := NewPanel()
		p.Show(kiosk.Screen{ID: kiosk.ScreenGranted})
		p.Show(kiosk.Screen{ID: kiosk.ScreenRemoveCard})
		played := make(chan error)
		go func() { played <- s.Play(t.Context(), deadMachine{}, p) }()
		synctest.Wait()
		p.Show(kiosk.Screen{ID: kiosk.ScreenReading})
		p.Show(kiosk.Screen{ID: kiosk.ScreenDenied, Reason: kiosk.Expired})
		if err := <-played; err != nil {
			t.Error(err)
		}
	})
}
