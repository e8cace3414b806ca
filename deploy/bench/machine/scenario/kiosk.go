//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/usbreader"

	"smartkiosk/deploy/bench/machine/hardware"
)

// kiosk is one build of a kiosk, with a person in front of it and a technician
// behind it. Its methods are what they do and see, and each writes a line of the
// report. A method that does not find what it expects ends the scenario (failed).
type kiosk struct {
	*hardware.Wired
	id     string
	report *Report
	site   *site
	config string

	daemon     *process
	logRead    int // how many bytes of the daemon's log the technician has read
	reader     *usbreader.Reader
	pullAt     atomic.Pointer[func(usbreader.Command) bool] // the command at which the person pulls the card; nil for none
	unplug     func() error
	openings   int      // how often the strike should have opened
	tonesHeard int      // of the buzzer
	outcomes   []string // of the visits that the feed should have
}

// failed is what a kiosk's methods panic with.
type failed struct{ err error }

func (k *kiosk) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// openKiosk wires a build, and makes a reader and a configuration for it.
func openKiosk(id, boardFile string, s *site, r *Report) (k *kiosk, err error) {
	b, err := board.Load(boardFile)
	if err != nil {
		return nil, err
	}
	k = &kiosk{id: id, report: r, site: s}
	if k.Wired, err = hardware.Wire(b); err != nil {
		return nil, err
	}
	if k.config, err = configure(id, boardFile); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	r.line("technician", "wires %s (%s)", b.Name, filepath.Base(boardFile))
	k.reader = usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: k.pullCard})
	return k, nil
}

// pullCard pulls the card at the command that pullsCardAt has chosen.
func (k *kiosk) pullCard(c usbreader.Command) usbreader.Fault {
	if chosen := k.pullAt.Load(); chosen != nil && (*chosen)(c) {
		k.pullAt.Store(nil)
		return usbreader.Pull
	}
	return usbreader.None
}

// pullsCardAt makes the person pull the card when it gets the first command that
// chosen returns true for.
func (k *kiosk) pullsCardAt(when string, chosen func(usbreader.Command) bool) {
	k.pullAt.Store(&chosen)
	k.report.line("person", "will pull the card %s", when)
}

// inserts puts a card into the reader.
func (k *kiosk) inserts(card string) {
	c, err := cardsim.Load(pkiDir + "/cards/" + card + ".card")
	k.must(err)
	k.reader.Insert(c)
	k.report.line("person", "inserts the card %q", card)
}

// takesCard takes the card out of the reader.
func (k *kiosk) takesCard() {
	k.reader.Remove()
	k.report.line("person", "takes the card out")
}

// types types a PIN and #. The person waits for a star after each digit.
func (k *kiosk) types(pin string) {
	for i, digit := range pin {
		k.pressesUntil(digit, func(rows []string) bool { return strings.Count(rows[len(rows)-1], "*") == i+1 })
	}
	asking := k.Display.Text()[0]
	k.pressesUntil('#', func(rows []string) bool { return rows[0] != asking })
	k.report.line("person", "types %d digits and #", len(pin))
}

// pressesUntil presses a key once, and waits until the display's rows are done.
func (k *kiosk) pressesUntil(key rune, done func(rows []string) bool) {
	k.must(k.Keys.Press(key))
	limit := time.After(patience)
	for {
		changed := k.Display.Changed()
		if done(k.Display.Text()) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			k.must(fmt.Errorf("key %c has no effect; the display shows\n%s", key, framed(strings.Join(k.Display.Text(), "\n"))))
		}
	}
}

// presses presses one key.
func (k *kiosk) presses(key rune) {
	k.must(k.Keys.Press(key))
	k.report.line("person", "presses %c", key)
}

// stillFor is how long a display shows the same text before a person has read
// it. It is longer than the slowest display takes to be written.
const stillFor = 150 * time.Millisecond

// sees waits until the display shows all texts, and saves a picture of it.
func (k *kiosk) sees(texts ...string) {
	limit := time.After(patience)
	still := time.After(stillFor)
	for {
		changed := k.Display.Changed()
		text := strings.Join(k.Display.Text(), "\n")
		shown := containsAll(text, texts)
		select {
		case <-changed:
			still = time.After(stillFor)
		case <-still:
			if shown {
				k.report.line("person", "sees (%s)\n%s", k.report.savePicture(k.id, k.Display.Picture()), framed(text))
				return
			}
		case <-limit:
			k.must(fmt.Errorf("the display does not show %q, but\n%s", texts, framed(text)))
		}
	}
}

func framed(text string) string {
	return "|" + strings.ReplaceAll(text, "\n", "|\n|") + "|"
}

// opens waits until the strike has opened once more and has shut again, and
// checks how long it was open.
func (k *kiosk) opens() {
	k.openings++
	k.waits("the strike to open", k.Strike, func() bool { return len(k.Strike.Times()) >= k.openings })
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	last := k.lastOpening()
	took := last.To - last.From
	k.report.line("door", "was open for %.2f s", took.Seconds())
	if took < opening || took > opening+tolerance {
		k.must(fmt.Errorf("the strike was open for %v, want %v to %v", took, opening, opening+tolerance))
	}
}

// lastOpening returns when the strike was open last. It fails when the strike
// has opened too often.
func (k *kiosk) lastOpening() hardware.Interval {
	times := k.Strike.Times()
	if len(times) != k.openings {
		k.must(fmt.Errorf("the strike opened %d times, want %d", len(times), k.openings))
	}
	return times[len(times)-1]
}

// waits waits until done returns true. It calls done at each change of a signal.
func (k *kiosk) waits(what string, s *hardware.Signal, done func() bool) {
	limit := time.After(patience)
	for {
		changed := s.Changed()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			k.must(fmt.Errorf("waited %v for %s", patience, what))
		}
	}
}

// expectsVisit adds the outcome of a visit, and its reason, to what the feed
// should have.
func (k *kiosk) expectsVisit(outcome string) {
	k.outcomes = append(k.outcomes, outcome)
}

// visits is a visit from the insertion of the card to its removal, with the
// right PIN and an open door.
func (k *kiosk) visits() {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	k.types("1234")
	k.sees("Velkommen")
	tones := k.hears()
	k.must(checkTones(tones[max(0, len(tones)-len(granting)):], granting))
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.expectsVisit("granted")
}

// checksFeed waits until the backend has all visits that are expected, and
// fails when it has others.
func (k *kiosk) checksFeed() {
	events, err := k.site.events(k.id, len(k.outcomes))
	k.must(err)
	var got []string
	for _, e := range events {
		if e.Type == visitType {
			got = append(got, strings.TrimSuffix(e.Data.Outcome+" "+e.Data.Reason, " "))
		}
	}
	k.report.line("backend", "has %d events, in order and without a gap; visits: %s", len(events), strings.Join(got, ", "))
	if !slices.Equal(got, k.outcomes) {
		k.must(fmt.Errorf("the feed has visits %q, want %q", got, k.outcomes))
	}
}
