package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
	"smartkiosk/device/speech"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// ears is a Speaker that keeps what a person hears.
type ears struct {
	results chan error

	mu    sync.Mutex
	heard []speech.Utterance
}

func (e *ears) Say(u speech.Utterance) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, u)
}

func (e *ears) Results() <-chan error { return e.results }

// since returns what was said after the first n utterances, without silence, and the
// number of all utterances.
func (e *ears) since(n int) (said []speech.Utterance, all int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.heard[n:] {
		if u.Text != "" {
			said = append(said, u)
		}
	}
	return said, len(e.heard)
}

// spokenKiosk runs visits with a voice in a synctest bubble. It calls f with the panel,
// and with what is said.
func spokenKiosk(t *testing.T, f func(b *bench, e *ears, card *cardsim.Card)) {
	t.Helper()
	spokenServices(t, nil, kiosk.Services{}, f)
}

// spokenServices does the same for a kiosk that offers services to cards of these
// profiles.
func spokenServices(t *testing.T, profiles *smartkort.Profiles, services kiosk.Services, f func(b *bench, e *ears, card *cardsim.Card)) {
	t.Helper()
	pki, err := testpki.New(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := pki.Write(dir); err != nil {
		t.Fatal(err)
	}
	domains, err := trust.Load(filepath.Join(dir, "trust.toml"))
	if err != nil {
		t.Fatal(err)
	}
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Slot: cardsim.NewSlot("slot"), keys: make(chan rune), domains: domains}
		e := &ears{results: make(chan error)}
		cache, err := smartkort.NewCache(make([]byte, 32), nil)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.NewTextHandler(&b.log, nil))
		v := newVoice(b, texts, screen.Hash, e, log)
		offered := make(latest[kiosk.Services], 1)
		offered.set(services)
		term := &terminal.Terminal{
			Slot: newCardSlot(b, smartkort.Driver{Cache: cache, Profiles: profiles}), Services: offered, Panel: v, Hub: b, Journal: b, Decider: b, Origin: "https://hub.example",
			Pages:  func(text string) ([]string, error) { return screen.PagesOn(text, []screen.Form{screen.Text20x4}) },
			Config: kiosk.Config{Languages: languages(texts, "nb"), Timing: kiosk.DefaultTiming, Speech: true},
			Now:    time.Now, Log: log,
		}
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { v.run(ctx) })
		work.Go(func() {
			if err := term.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		f(b, e, pki.Cards["valid"])
		stop()
		work.Wait()
	})
}

// TestVisitByEar logs in as a person who only hears the kiosk. The person knows the
// PIN and where the keys are, and does what was said last. The first PIN is mistyped.
func TestVisitByEar(t *testing.T) {
	for _, language := range []struct {
		presses                                  string // on the language key
		insert, typePIN, wrong, welcome, endWith string
	}{
		{"", "Sett inn kortet", "Tast pinnkoden", "Feil pinnkode. Du har 2 forsøk igjen", "Velkommen", "Avslutt med firkant"},
		{"L", "Insert your card", "Enter your pinn", "Wrong pinn. You have 2 tries left", "Welcome", "Finish with hash"},
		{"LL", "Set inn kortet", "Tast pinnkoden", "Feil pinnkode. Du har 2 forsøk att", "Velkomen", "Avslutt med firkant"},
		{"LLL", "Kiosken kan ikke lese nordsamisk. Du hører bokmål. Sett inn kortet", "Tast pinnkoden", "Feil pinnkode. Du har 2 forsøk igjen", "Velkommen", "Avslutt med firkant"},
	} {
		t.Run(language.insert, func(t *testing.T) {
			spokenKiosk(t, func(b *bench, e *ears, card *cardsim.Card) {
				press := func(keys string) {
					for _, key := range keys {
						b.keys <- key
						synctest.Wait()
					}
				}
				press(language.presses)
				pins := []string{"0000", testpki.PIN}
				heard := 0
				var told []string
				for range 20 { // more sentences than a visit has
					synctest.Wait()
					said, n := e.since(heard)
					heard = n
					if len(said) == 0 {
						t.Fatalf("the kiosk is silent after %q", told)
					}
					now := said[len(said)-1].Text
					told = append(told, now)
					switch {
					case strings.HasPrefix(now, language.insert):
						b.Insert(card)
					case strings.HasPrefix(now, language.wrong) && len(pins) == 1:
						press(pins[0] + "#")
						pins = pins[1:]
					case strings.Contains(now, language.typePIN) && strings.Contains(now, language.endWith) && len(pins) == 2:
						press(pins[0] + "#")
						pins = pins[1:]
					case strings.HasPrefix(now, language.welcome) && len(pins) == 0:
						b.Remove()
						synctest.Wait()
						if len(b.records) != 1 || b.records[0].Outcome != kiosk.Granted {
							t.Errorf("recorded %+v", b.records)
						}
						return
					default:
						t.Fatalf("a person who hears %q does not know what to do", told)
					}
				}
				t.Fatalf("the visit does not end: %q", told)
			})
		})
	}
}

// TestServicesByEar changes the PIN as a person who only hears the kiosk, knows the PIN
// and follows the last instruction. The new PIN is mistyped once.
func TestServicesByEar(t *testing.T) {
	profiles, err := smartkort.LoadProfiles("testdata/profiles")
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "5678"
	entry := regexp.MustCompile(`(\d): (Bytt pinnkode|Change pinn|Byt pinnkode)\.`)
	for _, language := range []struct {
		presses, insert, typePIN, welcome string
		old, new, again, differs, done    string
	}{
		{"", "Sett inn kortet", "Tast pinnkoden", "Velkommen", "Gammel pinnkode", "Ny pinnkode", "En gang til", "Ikke like", "pinnkode byttet"},
		{"L", "Insert your card", "Enter your pinn", "Welcome", "Old pinn", "New pinn", "Once more", "Not the same", "pinn is changed"},
		{"LL", "Set inn kortet", "Tast pinnkoden", "Velkomen", "Gammal pinnkode", "Ny pinnkode", "Ein gong til", "Ikkje like", "pinnkode bytt"},
	} {
		choices := []kiosk.Choice{{Code: "a", Texts: map[string]string{"nb": "Besøk"}}, {Code: "b", Texts: map[string]string{"nb": "Levering"}}}
		spokenServices(t, profiles, kiosk.Services{ChangePIN: true, Choices: choices}, func(b *bench, e *ears, card *cardsim.Card) {
			press := func(keys string) {
				for _, key := range keys {
					b.keys <- key
					synctest.Wait()
				}
			}
			press(language.presses)
			repeats := []string{"5679", fresh}
			heard := 0
			var told []string
			for range 20 {
				synctest.Wait()
				said, n := e.since(heard)
				heard = n
				if len(said) == 0 {
					time.Sleep(kiosk.DefaultTiming.Greeting) // nothing to do yet
					synctest.Wait()
					if said, heard = e.since(heard); len(said) == 0 {
						t.Fatalf("the kiosk is silent after %q", told)
					}
				}
				now := said[len(said)-1].Text
				told = append(told, now)
				switch key := entry.FindStringSubmatch(now); {
				case strings.HasPrefix(now, language.insert):
					b.Insert(card)
				case strings.HasPrefix(now, language.typePIN), strings.HasPrefix(now, language.old):
					press(testpki.PIN + "#")
				case strings.HasPrefix(now, language.welcome):
				case key != nil:
					press(key[1])
				case strings.HasPrefix(now, language.new), strings.HasPrefix(now, language.differs):
					press(fresh + "#")
				case strings.HasPrefix(now, language.again) && len(repeats) > 0:
					press(repeats[0] + "#")
					repeats = repeats[1:]
				case strings.HasPrefix(now, language.done) && len(repeats) == 0:
					b.Remove()
					synctest.Wait()
					if len(b.records) != 2 || b.records[1].Service != kiosk.ServiceChange || b.records[1].Outcome != kiosk.Completed {
						t.Errorf("recorded %+v", b.records)
					}
					if got := string(card.Image().PINs["pin"].Value); got != fresh {
						t.Error("the card does not have the new PIN")
					}
					return
				default:
					t.Fatalf("a person who hears %q does not know what to do", told)
				}
			}
			t.Fatalf("the PIN is not changed: %q", told)
		})
	}
}

// TestDigitsAreNotHeard checks that nothing that is said depends on the digits typed,
// and that a digit stops the speech.
func TestDigitsAreNotHeard(t *testing.T) {
	typed := func(pin string) (heard []speech.Utterance) {
		spokenKiosk(t, func(b *bench, e *ears, card *cardsim.Card) {
			b.Insert(card)
			synctest.Wait()
			_, before := e.since(0)
			for _, key := range pin + "R*R#" {
				b.keys <- key
				synctest.Wait()
			}
			e.mu.Lock()
			heard = slices.Clone(e.heard[before:])
			e.mu.Unlock()
			b.Remove()
			synctest.Wait()
		})
		return heard
	}
	low, high := typed("0123"), typed("9876")
	if !slices.Equal(low, high) {
		t.Errorf("two PINs sound different:\n%+v\n%+v", low, high)
	}
	if len(low) < 4 || low[0].Text != "" || low[3].Text != "" {
		t.Errorf("digits do not stop the speech: %+v", low)
	}
	if s := low[4].Text; !strings.HasSuffix(s, "4 sifre tastet.") {
		t.Errorf("the repeat key says %q", s)
	}
}

// TestVoiceKeys checks volume, repeat and silence, that the volume is reset after a
// visit, and that a failure is logged once.
func TestVoiceKeys(t *testing.T) {
	spokenKiosk(t, func(b *bench, e *ears, card *cardsim.Card) {
		_, heard := e.since(0)
		for _, want := range []struct {
			key    rune
			volume int
		}{{'R', speech.Normal}, {'V', speech.Loud}, {'R', speech.Loud}, {'V', speech.Quiet}, {'V', speech.Normal}} {
			b.keys <- want.key
			synctest.Wait()
			said, n := e.since(heard)
			heard = n
			if len(said) != 1 || said[0].Volume != want.volume || said[0].Voice != "nb" || !strings.HasPrefix(said[0].Text, "Sett inn kortet") {
				t.Errorf("%c: says %+v, want the screen at volume %d", want.key, said, want.volume)
			}
		}
		b.keys <- '5'
		synctest.Wait()
		e.mu.Lock()
		if n := len(e.heard); n != heard+1 || e.heard[n-1].Text != "" {
			t.Errorf("another key does not stop the speech: %+v", e.heard[heard:])
		}
		e.mu.Unlock()
		b.keys <- 'V'
		synctest.Wait()
		b.Insert(card)
		synctest.Wait()
		if said, _ := e.since(0); said[len(said)-1].Volume != speech.Loud {
			t.Errorf("a visit does not keep the volume: %+v", said[len(said)-1])
		}
		b.Remove()
		synctest.Wait()
		if said, _ := e.since(0); said[len(said)-1].Volume != speech.Normal {
			t.Errorf("the volume stays for the next person: %+v", said[len(said)-1])
		}
		for _, err := range []error{nil, errors.New("no device"), errors.New("no device"), nil, errors.New("again")} {
			e.results <- err
		}
		synctest.Wait()
		if log := b.log.String(); strings.Count(log, "the kiosk cannot speak") != 2 || !strings.Contains(log, "err=again") {
			t.Errorf("logged %s", log)
		}
	})
}
