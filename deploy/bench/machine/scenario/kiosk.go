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

// kiosk is one build of a kiosk, with a person before it and a technician
// behind it. Its methods are what they do and see; each is a line of the
// report. What does not come to pass ends the play (failed).
type kiosk struct {
	*hardware.Wired
	id     string
	report *Report
	site   *site
	config string

	daemon   *process
	read     int // how much of the daemon's log the technician has read
	reader   *usbreader.Reader
	pullAt   atomic.Pointer[func(usbreader.Command) bool] // at which command the card is pulled; nil for none
	unplug   func() error
	openings int      // of the strike
	heard    int      // how many tones of the buzzer
	outcomes []string // that the feed is to have
}

// failed is what a kiosk's methods panic with.
type failed struct{ err error }

func (k *kiosk) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// openKiosk wires a build, and makes a reader for it and a configuration.
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
	k.reader = usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: k.strike})
	return k, nil
}

// strike pulls the card at the command that was chosen.
func (k *kiosk) strike(c usbreader.Command) usbreader.Fault {
	if chosen := k.pullAt.Load(); chosen != nil && (*chosen)(c) {
		k.pullAt.Store(nil)
		return usbreader.Pull
	}
	return usbreader.None
}

// isToPullAt makes the person pull the card when the card has been sent a
// command that is chosen.
func (k *kiosk) isToPullAt(what string, chosen func(usbreader.Command) bool) {
	k.pullAt.Store(&chosen)
	k.report.line("person", "is to pull the card %s", what)
}

// inserts puts a card into the reader.
func (k *kiosk) inserts(card string) {
	c, err := cardsim.Load(pkiDir + "/cards/" + card + ".card")
	k.must(err)
	k.reader.Insert(c)
	k.report.line("person", "inserts the card %q", card)
}

// takesCard takes it out.
func (k *kiosk) takesCard() {
	k.reader.Remove()
	k.report.line("person", "takes the card out")
}

// types types a PIN and ends it with #: a person who looks for a star after
// each digit.
func (k *kiosk) types(pin string) {
	for i, digit := range pin {
		k.pressesUntil(digit, func(rows []string) bool { return strings.Count(rows[len(rows)-1], "*") == i+1 })
	}
	asking := k.Display.Text()[0]
	k.pressesUntil('#', func(rows []string) bool { return rows[0] != asking })
	k.report.line("person", "types %d digits and #", len(pin))
}

// pressesUntil presses a key, once, and waits for what it does to the display's
// rows.
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
			k.must(fmt.Errorf("a key does nothing; the display shows\n%s", framed(strings.Join(k.Display.Text(), "\n"))))
		}
	}
}

// reportsPresses tells how the keypad, if there is one of contacts, was seen to
// be read.
func (k *kiosk) reportsPresses() {
	if k.Matrix == nil || len(k.Matrix.Presses()) == 0 {
		return
	}
	var idle, held, stood []time.Duration
	for _, p := range k.Matrix.Presses() {
		held, stood = append(held, p.Held), append(stood, p.Stood)
		if p.Idle > 0 {
			idle = append(idle, p.Idle)
		}
	}
	k.report.line("keypad", "%d keys, each pressed once, were seen often enough after %s, of which the machine stood still for %s; %d of them found it at rest, for another %s",
		len(held), spread(held), spread(stood), len(idle), spread(idle))
}

// spread gives the shortest, the median and the longest of some times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "-"
	}
	slices.Sort(times)
	ms := func(i int) float64 { return times[i].Seconds() * 1000 }
	return fmt.Sprintf("%.1f/%.1f/%.1f ms", ms(0), ms(len(times)/2), ms(len(times)-1))
}

// presses presses one key.
func (k *kiosk) presses(key rune) {
	k.must(k.Keys.Press(key))
	k.report.line("person", "presses %c", key)
}

// stillFor is how long a display shows the same before a person has read it:
// longer than writing the slowest takes.
const stillFor = 150 * time.Millisecond

// sees waits until the display shows some texts, and keeps a picture of it.
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
				k.report.line("person", "sees (%s)\n%s", k.report.picture(k.id, k.Display.Picture()), framed(text))
				return
			}
		case <-limit:
			k.must(fmt.Errorf("the person does not see %q, but\n%s", texts, framed(text)))
		}
	}
}

func framed(text string) string {
	return "|" + strings.ReplaceAll(text, "\n", "|\n|") + "|"
}

// opens waits until the strike has opened once more, and is shut again, and
// checks for how long it was.
func (k *kiosk) opens() {
	k.openings++
	pulse := hardware.TakePulse()
	k.waits("the strike to open", k.Strike, func() bool { return len(k.Strike.Times()) >= k.openings })
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	pulse.Stop()
	last := k.lastOpening()
	took := last.To - last.From
	k.report.line("door", "was open for %.2f s", took.Seconds())
	if took < opening || pulse.Ran(last.From, last.To) > opening+tardy {
		k.must(fmt.Errorf("the strike was open for %v, not %v", took, opening))
	}
}

// lastOpening is when the strike was open last, when it was opened as often as
// it should.
func (k *kiosk) lastOpening() hardware.Interval {
	times := k.Strike.Times()
	if len(times) != k.openings {
		k.must(fmt.Errorf("the strike opened %d times, not %d", len(times), k.openings))
	}
	return times[len(times)-1]
}

// waits waits until a signal has come to something.
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
			k.must(fmt.Errorf("waited in vain for %s", what))
		}
	}
}

// tells says what the feed is to have of the visit that was.
func (k *kiosk) tells(outcome string) {
	k.outcomes = append(k.outcomes, outcome)
}

// visits is a person who is let in, of whom nothing special is to be told.
func (k *kiosk) visits() {
	k.inserts("valid")
	k.sees("Tast PIN-koden")
	pulse := hardware.TakePulse()
	k.types("1234")
	k.sees("Velkommen")
	tones := k.hears()
	pulse.Stop()
	k.must(like(tones[max(0, len(tones)-len(granting)):], granting, pulse.Ran))
	k.opens()
	k.takesCard()
	k.sees("Sett inn kortet")
	k.tells("granted")
}

// checksFeed waits until the backend has all that was told, and no more.
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
		k.must(fmt.Errorf("the feed has visits %q, not %q", got, k.outcomes))
	}
}
