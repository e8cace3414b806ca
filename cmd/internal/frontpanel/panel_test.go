package frontpanel_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/board"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

const boardFile = "../../../deploy/boards/zero2w-keypad-lcd.toml"

// onMachine opens the panel of a machine without its door, in virtual time.
func onMachine(t *testing.T, prepare func(*machine), f func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		if prepare != nil {
			prepare(m)
		}
		b, err := board.Load(boardFile)
		if err != nil {
			t.Fatal(err)
		}
		b.Strike = nil // its guardian is another process and runs in real time
		texts, err := screen.Load()
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		p := frontpanel.Open(b, texts, nil, slog.New(slog.NewTextHandler(&log, nil)))
		defer p.Close()
		f(t, m, p, &log)
		if got, want := fmt.Sprint(p.Parts()), "[display keypad]"; got != want {
			t.Errorf("a visit needs %s, want %s", got, want)
		}
	})
}

// pass lets d pass in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// states returns the states that the visits have received.
func states(p *frontpanel.Panel) string {
	var all []string
	for {
		synctest.Wait()
		select {
		case s := <-p.States():
			all = append(all, fmt.Sprint(s.Part, " ", map[bool]string{true: "works", false: "lost"}[s.Works]))
		default:
			return strings.Join(all, ", ")
		}
	}
}

// reports returns the reports so far.
func reports(p *frontpanel.Panel) string {
	var all []string
	for {
		synctest.Wait()
		select {
		case r := <-p.Reports():
			all = append(all, strings.TrimSpace(fmt.Sprint(r.Section, " ", r.State, " ", r.Problem)))
		default:
			return strings.Join(all, "; ")
		}
	}
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// A screen appears on the display and in the lamps. A cue sounds. A key arrives.
func TestParts(t *testing.T) {
	onMachine(t, nil, func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer) {
		pass(time.Second)
		expect(t, "states", states(p), "keypad works, display works")
		for _, tt := range []struct {
			screen     kiosk.Screen
			text, lamp string
		}{
			{kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"}, "Sett inn kortet|Brikken fram og opp.|Om lagring: tast 0.|Trykk * for English", ""},
			{kiosk.Screen{ID: kiosk.ScreenPIN, Language: "en", Typed: 3}, "", ""},
			{kiosk.Screen{ID: kiosk.ScreenChecking, Language: "nb"}, "", "yellow"},
			{kiosk.Screen{ID: kiosk.ScreenGranted, Language: "nb", Name: "Åse Ødegård"}, "Velkommen|Åse Ødegård|Husk kortet.|", "green"},
			{kiosk.Screen{ID: kiosk.ScreenOutOfService, Language: "nb"}, "Ute av drift|Spør betjeningen om|hjelp.|", "red"},
		} {
			p.Show(tt.screen)
			pass(time.Second)
			if tt.text != "" {
				expect(t, "display", m.text(), tt.text)
			}
			if tt.screen.TakesPIN() && !strings.HasSuffix(m.text(), "|PIN: ***       OK: #") {
				t.Errorf("no typed digits in %s", m.text())
			}
			expect(t, "lamps with "+string(tt.screen.ID), m.lit(), tt.lamp)
		}
		m.buzzer.count()
		for cue, notes := range map[kiosk.Cue]int{kiosk.CueKey: 1, kiosk.CueGranted: 3, kiosk.CueDenied: 2, kiosk.CueOutOfService: 4, "no such": 0} {
			p.Sound(cue)
			pass(3 * time.Second)
			if n := m.buzzer.count(); n != notes {
				t.Errorf("%s beeps %d times, want %d", cue, n, notes)
			}
		}
		got := ""
		for _, key := range "19*0#L" {
			m.hold(key, true)
			pass(100 * time.Millisecond)
			m.hold(key, false)
			pass(100 * time.Millisecond)
			select {
			case k := <-p.Keys():
				got += string(k)
			default:
			}
		}
		expect(t, "keys", got, "19*0#L")
		expect(t, "reports", reports(p), "tamper unopened")
	})
}

// A display that is unplugged is lost. It comes back by itself. The log names the
// display, its place and the error.
func TestDisplayPulled(t *testing.T) {
	onMachine(t, nil, func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer) {
		p.Show(kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"})
		pass(time.Second)
		states(p)
		reports(p)
		m.bus.Unplug()
		pass(10 * time.Second)
		expect(t, "states", states(p), "display lost")
		if got := reports(p); !strings.HasPrefix(got, "display.pcf8574 lost ") || !strings.Contains(got, "no answer from PCF8574(0x27)") {
			t.Errorf("reported %q", got)
		}
		if !strings.Contains(log.String(), `level=ERROR msg="out of service: a part of the panel is lost; look at its plugs, wires and supply" part=display.pcf8574 err=`) {
			t.Errorf("logged %s", log)
		}
		p.Show(kiosk.Screen{ID: kiosk.ScreenOutOfService, Language: "nb"}) // the display is gone
		m.bus.Between(m.lcd.PowerCycle)
		m.bus.Plug()
		pass(5 * time.Second)
		expect(t, "states", states(p), "display works")
		expect(t, "reports", reports(p), "display.pcf8574 found")
		if !strings.HasPrefix(m.text(), "Ute av drift|") {
			t.Errorf("when it is back it shows %s", m.text())
		}
	})
}

// A keypad whose line another program holds is found when that program releases it.
func TestKeypadFoundLater(t *testing.T) {
	taken := func(m *machine) { m.keys.Cols[2].Take(true) }
	onMachine(t, taken, func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer) {
		pass(time.Minute)
		expect(t, "states", states(p), "display works, keypad lost")
		if got := reports(p); !strings.Contains(got, "keypad.matrix lost cannot open keypad: cannot use pin GPIO20: held by another program: line in use") {
			t.Errorf("reported %q", got)
		}
		if n := strings.Count(log.String(), "keypad.matrix"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, log)
		}
		m.keys.Cols[2].Take(false)
		pass(5 * time.Second)
		expect(t, "states", states(p), "keypad works")
		expect(t, "reports", reports(p), "keypad.matrix found")
	})
}

// A key that is held for too long is reported, but not which key.
func TestStuckKey(t *testing.T) {
	onMachine(t, nil, func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer) {
		pass(time.Second)
		states(p)
		reports(p)
		m.hold('7', true)
		pass(30 * time.Second)
		const told = "keypad.matrix stuck matrix: keys held for too long: 1; look for a jammed key, or an object that presses on it"
		expect(t, "reports", reports(p), told)
		m.hold('7', false)
		pass(time.Second)
		expect(t, "reports", reports(p), "keypad.matrix freed")
		expect(t, "states", states(p), "")
		if strings.Contains(log.String(), "7") {
			for line := range strings.Lines(log.String()) {
				if _, said, _ := strings.Cut(line, "level="); strings.Contains(strings.ReplaceAll(said, "pcf8574", ""), "7") {
					t.Errorf("the log names the key: %s", said)
				}
			}
		}
	})
}

// The housing is opened and closed.
func TestHousing(t *testing.T) {
	onMachine(t, nil, func(t *testing.T, m *machine, p *frontpanel.Panel, log *bytes.Buffer) {
		pass(2 * time.Second)
		expect(t, "reports", reports(p), "tamper unopened")
		m.housing.set(true)
		pass(2 * time.Second)
		expect(t, "reports", reports(p), "tamper opened")
		m.housing.set(false)
		pass(2 * time.Second)
		expect(t, "reports", reports(p), "tamper unopened")

		// Its wire is loose. This is reported a few times only.
		for range 1000 {
			m.housing.set(true)
			pass(100 * time.Millisecond)
			m.housing.set(false)
			pass(100 * time.Millisecond)
		}
		if n := strings.Count(reports(p), "tamper"); n < 1 || n > 9 {
			t.Errorf("reported %d times", n)
		}
		if n := strings.Count(log.String(), "the housing is"); n > 12 {
			t.Errorf("logged %d times", n)
		}
	})
}

// otherPanel is a second panel that shows the same screens.
type otherPanel struct {
	keys  chan rune
	shown []kiosk.ScreenID
	cues  []kiosk.Cue
	doors int
}

func (n *otherPanel) Show(s kiosk.Screen) { n.shown = append(n.shown, s.ID) }
func (n *otherPanel) Sound(c kiosk.Cue)   { n.cues = append(n.cues, c) }
func (n *otherPanel) OpenDoor()           { n.doors++ }
func (n *otherPanel) Keys() <-chan rune   { return n.keys }

var _ terminal.Panel = (*otherPanel)(nil)

// A second panel shows the same screens, and its keys count.
func TestOtherPanel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newMachine(t)
		b, err := board.Load(boardFile)
		if err != nil {
			t.Fatal(err)
		}
		b.Strike = nil
		texts, err := screen.Load()
		if err != nil {
			t.Fatal(err)
		}
		web := &otherPanel{keys: make(chan rune)}
		p := frontpanel.Open(b, texts, web, slog.New(slog.DiscardHandler))
		defer p.Close()
		p.Show(kiosk.Screen{ID: kiosk.ScreenWelcome, Language: "nb"})
		p.Sound(kiosk.CueAttention)
		p.OpenDoor()
		if fmt.Sprint(web.shown, web.cues, web.doors) != "[welcome] [attention] 1" {
			t.Errorf("the other panel: %+v", web)
		}
		web.keys <- '5'
		if key := <-p.Keys(); key != '5' {
			t.Errorf("key %c", key)
		}
	})
}
