package daemon

import (
	"crypto"
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/cades"
)

// TestWholeVisitByEar is a visit of a person who only hears the kiosk: a login, a new PIN and
// a signature. The person knows the PIN and where the keys are, and presses what the last
// sentence names. The order that is signed is what was heard.
func TestWholeVisitByEar(t *testing.T) {
	profiles, err := smartkort.LoadProfiles("testdata/profiles")
	if err != nil {
		t.Fatal(err)
	}
	const (
		fresh = "5678"
		order = "Ordre\nTo esker blå penner, levert i morgen\nTil: Eksempel AS\nReferanse 4711"
	)
	for _, words := range []struct{ presses, change, documents, page, sign, done string }{
		{"", `(\d): Bytt pinnkode\.`, `(\d): Dokumenter\.`, `^Side (\d) av (\d)\. (.*)\. Videre: firkant\.`, `(\d): bestill\.`, "Signert"},
		{"L", `(\d): Change pinn\.`, `(\d): Documents\.`, `^Page (\d) of (\d)\. (.*)\. Next: hash\.`, `(\d): order\.`, "Signed"},
		{"LL", `(\d): Byt pinnkode\.`, `(\d): Dokument\.`, `^Side (\d) av (\d)\. (.*)\. Vidare: firkant\.`, `(\d): bestill\.`, "Signert"},
	} {
		change, documents, page, sign := regexp.MustCompile(words.change), regexp.MustCompile(words.documents), regexp.MustCompile(words.page), regexp.MustCompile(words.sign)
		spokenServices(t, profiles, kiosk.Services{ChangePIN: true, Documents: true}, func(b *bench, e *ears, card *cardsim.Card) {
			b.document = order
			press := func(keys string) {
				for _, key := range keys {
					b.keys <- key
					synctest.Wait()
				}
			}
			press(words.presses)
			pin, changed, inserted := testpki.PIN, false, false
			heard := 0
			var told, read []string
			for range 60 {
				synctest.Wait()
				said, n := e.since(heard)
				heard = n
				if len(said) == 0 {
					time.Sleep(kiosk.DefaultTiming.Greeting) // nothing to do yet
					continue
				}
				now := said[len(said)-1].Text
				told = append(told, now)
				part, key := page.FindStringSubmatch(now), func(menu *regexp.Regexp) string {
					if found := menu.FindStringSubmatch(now); found != nil {
						return found[1]
					}
					return ""
				}
				switch {
				case !inserted:
					b.Insert(card)
					inserted = true
				case part != nil:
					read = append(read, part[3])
					press("#")
				case key(sign) != "":
					press(key(sign))
				case key(change) != "" && !changed:
					press(key(change))
				case key(documents) != "":
					press(key(documents))
				case strings.HasPrefix(now, words.done):
					b.Remove()
					synctest.Wait()
					checkHeard(t, b, order, read)
					return
				case strings.HasPrefix(now, "Ny pinnkode"), strings.HasPrefix(now, "New pinn"),
					strings.HasPrefix(now, "En gang til"), strings.HasPrefix(now, "Ein gong til"), strings.HasPrefix(now, "Once more"):
					pin, changed = fresh, true
					press(pin + "#")
				case strings.Contains(now, "pinn") && (strings.Contains(now, "firkant") || strings.Contains(now, "hash")):
					press(pin + "#")
				}
			}
			t.Fatalf("the visit does not end: %q", told)
		})
	}
}

// checkHeard checks the records and the signature of a visit, and that the person heard the
// whole document.
func checkHeard(t *testing.T, b *bench, document string, read []string) {
	t.Helper()
	plain := func(text string) string { return regexp.MustCompile(`[ .\n]+`).ReplaceAllString(text, " ") }
	if got := plain(strings.Join(read, " ")); got != plain(document) {
		t.Errorf("heard %q, signed %q", got, plain(document))
	}
	services := []kiosk.Service{"", kiosk.ServiceChange, kiosk.ServiceDocument}
	if len(b.records) != 3 || !slices.EqualFunc(b.records, services, func(r kiosk.Record, s kiosk.Service) bool {
		return r.Service == s && (r.Outcome == kiosk.Granted || r.Outcome == kiosk.Completed)
	}) {
		t.Fatalf("recorded %+v", b.records)
	}
	if len(b.handedIn) != 1 || b.handedIn[0].Decision != kiosk.DecisionSigned {
		t.Fatalf("handed in: %+v", b.handedIn)
	}
	s, err := cades.Check(b.handedIn[0].Signature, func(h crypto.Hash) []byte {
		sum := h.New()
		sum.Write([]byte(document))
		return sum.Sum(nil)
	})
	if err != nil || s.Certificate.KeyUsage != x509.KeyUsageContentCommitment {
		t.Errorf("the signature is not valid: %v", err)
	}
}
