//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	fault    usbreader.Fault // strikes at the command numbered faultAt
	faultAt  int
	unplug   func() error
	outcomes []string // that the feed is to have
}

// failed is what a kiosk's methods panic with.
type failed struct{ err error }

func (k *kiosk) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// openKiosk wires a build, plugs a reader in and starts kioskd.
func openKiosk(id, boardFile string, s *site, r *Report) (k *kiosk, err error) {
	b, err := board.Load(boardFile)
	if err != nil {
		return nil, err
	}
	k = &kiosk{id: id, report: r, site: s}
	if k.Wired, err = hardware.Wire(b); err != nil {
		return nil, err
	}
	if k.config, err = s.addKiosk(id, boardFile); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	r.line("technician", "wires %s (%s)", b.Name, filepath.Base(boardFile))
	k.reader = usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: k.strike})
	return k, nil
}

// strike is the fault that is arranged for a command.
func (k *kiosk) strike(c usbreader.Command) usbreader.Fault {
	if c.Number == k.faultAt {
		return k.fault
	}
	return usbreader.None
}

// plugsReader plugs the reader in.
func (k *kiosk) plugsReader() {
	var err error
	k.unplug, err = k.reader.Attach()
	k.must(err)
	k.report.line("technician", "plugs the reader in")
}

// unplugsReader pulls its plug.
func (k *kiosk) unplugsReader() {
	k.must(k.unplug())
	k.report.line("technician", "unplugs the reader")
}

// starts starts kioskd.
func (k *kiosk) starts() {
	var err error
	k.daemon, err = start(programs+"/kioskd", "run", "--config", k.config)
	k.must(err)
	k.read = 0
	k.report.line("technician", "starts kioskd")
	_, err = k.daemon.await(0, "msg=ready")
	k.must(err)
}

// stops ends kioskd as systemd does.
func (k *kiosk) stops() {
	k.must(k.daemon.stop())
	k.report.line("technician", "stops kioskd")
}

// killsKioskd ends it as the kernel does when it is out of memory.
func (k *kiosk) killsKioskd() time.Time {
	at := time.Now()
	k.must(k.daemon.kill(syscall.SIGKILL))
	k.report.line("technician", "kills kioskd (-9)")
	return at
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
// each digit, and presses again when there is none.
func (k *kiosk) types(pin string) {
	for i, digit := range pin {
		k.pressesUntil(digit, func(last string) bool { return strings.Count(last, "*") == i+1 })
	}
	k.pressesUntil('#', func(last string) bool { return !strings.Contains(last, "*") })
	k.report.line("person", "types %d digits and #", len(pin))
}

// attention is how long a person looks for what a key does.
const attention = 3 * time.Second

// pressesUntil presses a key until the display's last row is as it should.
func (k *kiosk) pressesUntil(key rune, done func(last string) bool) {
	for range 5 {
		k.must(k.Keys.Press(key))
		limit := time.After(attention)
		for waiting := true; waiting; {
			changed := k.Display.Changed()
			text := k.Display.Text()
			if done(text[len(text)-1]) {
				return
			}
			select {
			case <-changed:
			case <-limit:
				waiting = false
			}
		}
		k.report.line("person", "presses a key again")
	}
	k.must(fmt.Errorf("keys do nothing; the display shows\n%s\nkioskd said:\n%s", framed(strings.Join(k.Display.Text(), "\n")), k.daemon.output(0)))
}

// presses presses one key.
func (k *kiosk) presses(key rune) {
	k.must(k.Keys.Press(key))
	k.report.line("person", "presses %c", key)
}

// sees waits until the display shows some texts, and keeps a picture of it.
func (k *kiosk) sees(texts ...string) {
	limit := time.After(patience)
	for {
		changed := k.Display.Changed()
		text := strings.Join(k.Display.Text(), "\n")
		if containsAll(text, texts) {
			name := k.report.picture(k.id, k.Display.Picture())
			k.report.line("person", "sees (%s)\n%s", name, framed(text))
			return
		}
		select {
		case <-changed:
		case <-limit:
			k.must(fmt.Errorf("the person does not see %q, but\n%s\nkioskd said:\n%s", texts, framed(text), k.daemon.output(0)))
		}
	}
}

func framed(text string) string {
	return "|" + strings.ReplaceAll(text, "\n", "|\n|") + "|"
}

// reads waits for a line of kioskd's log that has some texts, after those
// read before.
func (k *kiosk) reads(texts ...string) {
	line, err := k.daemon.await(k.read, texts...)
	k.must(err)
	k.read += strings.Index(k.daemon.output(k.read), line) + len(line)
	_, line, _ = strings.Cut(line, " ") // the time, which the report has
	k.report.line("technician", "reads %s", line)
}

// opens waits until the strike has opened once more, and is shut again, and
// checks for how long it was.
func (k *kiosk) opens(opening int, want time.Duration) {
	k.waits("the strike to open", k.Strike, func() bool { return len(k.Strike.Times()) >= opening })
	k.waits("the strike to shut", k.Strike, func() bool { return !k.Strike.On() })
	times := k.Strike.Times()
	if len(times) != opening {
		k.must(fmt.Errorf("the strike opened %d times, not %d", len(times), opening))
	}
	took := times[opening-1].To - times[opening-1].From
	k.report.line("door", "was open for %.2f s", took.Seconds())
	if took < want-100*time.Millisecond || took > want+time.Second {
		k.must(fmt.Errorf("the strike was open for %v, not %v", took, want))
	}
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
