package board

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"smartkiosk/device/cue"
)

// Sounder is a section of a buzzer.
type Sounder interface {
	Part
	// Open opens the buzzer and silences it.
	Open() (*cue.Buzzer, error)
}

// Active is [buzzer.active]: a buzzer that sounds while its line is on.
type Active struct {
	Pin       string `toml:"pin"`
	ActiveLow bool   `toml:"active_low"`
}

// Section implements Part.
func (*Active) Section() string { return "buzzer.active" }

// Open implements Sounder.
func (a *Active) Open() (*cue.Buzzer, error) {
	o, err := output(a.Pin, a.ActiveLow)
	if err != nil {
		return nil, err
	}
	return cue.OpenBuzzer(o)
}

func (*Active) check(Pi) error { return nil }

// Describe implements Part.
func (a *Active) Describe() Description {
	return Description{Title: "buzzer", Label: "buzzer", Wiring: a.Pin, Buy: []string{"active buzzer module for 5 V"}}
}

// Wires implements Part.
func (a *Active) Wires() []Wire {
	return []Wire{
		{Terminal: "GND", Line: Ground},
		{Terminal: "VCC", Line: Volts5},
		{Terminal: "IN", Line: a.Pin, Note: "a module that sounds at " + level(a.ActiveLow) + " level; a bare buzzer needs a transistor"},
	}
}

// Piezo is [buzzer.piezo]: a sounder without a tone of its own, on a PWM channel.
type Piezo struct {
	Chip    string `toml:"chip"` // folder in sysfs
	Channel int    `toml:"channel"`
	Pin     string `toml:"pin"` // the line of the channel
}

// Section implements Part.
func (*Piezo) Section() string { return "buzzer.piezo" }

// Open implements Sounder.
func (p *Piezo) Open() (*cue.Buzzer, error) {
	pwm, err := cue.OpenPWM(p.Chip, p.Channel)
	if err != nil {
		return nil, err
	}
	return cue.OpenPiezo(pwm)
}

func (p *Piezo) check(pi Pi) error {
	if err := checkDevice("chip", p.Chip, "/sys/class/pwm/pwmchip0"); err != nil {
		return err
	}
	if err := checkNumber("channel", p.Channel, 0, 15); err != nil {
		return err
	}
	if pi == "" {
		return nil
	}
	at, ok := pwmChannels[p.Pin]
	if !ok {
		return fmt.Errorf("pin is %q, which has no PWM: use GPIO12, GPIO13, GPIO18 or GPIO19", p.Pin)
	}
	if at.channel != p.Channel {
		return fmt.Errorf("channel is %d: %s is on channel %d", p.Channel, p.Pin, at.channel)
	}
	return nil
}

// Overlay returns the line of a Pi's config.txt that connects the channel to Pin.
func (p *Piezo) Overlay() string {
	return fmt.Sprintf("dtoverlay=pwm,pin=%s,func=%d", strings.TrimPrefix(p.Pin, "GPIO"), pwmChannels[p.Pin].function)
}

// Describe implements Part.
func (p *Piezo) Describe() Description {
	return Description{
		Title: "piezo sounder", Label: "piezo", Wiring: fmt.Sprintf("channel %d of %s, %s", p.Channel, p.Chip, p.Pin),
		Buy: []string{"passive piezo sounder without electronics", "resistor of 220 Ω"},
	}
}

// Wires implements Part.
func (p *Piezo) Wires() []Wire {
	return []Wire{
		{Terminal: "−", Line: Ground},
		{Terminal: "+", Line: p.Pin, Via: "220 Ω"},
	}
}

// Lamps is [lamps]: up to three lamps. A lamp whose line is "" is missing.
type Lamps struct {
	Green     string `toml:"green"`
	Yellow    string `toml:"yellow"`
	Red       string `toml:"red"`
	ActiveLow bool   `toml:"active_low"`
}

// Section implements Part.
func (*Lamps) Section() string { return "lamps" }

// Open opens the lamps and switches them off.
func (l *Lamps) Open() (cue.Lamps, error) {
	var lamps cue.Lamps
	for _, lamp := range []struct {
		name string
		to   *cue.Output
	}{{l.Green, &lamps.Green}, {l.Yellow, &lamps.Yellow}, {l.Red, &lamps.Red}} {
		if lamp.name == "" {
			continue
		}
		o, err := output(lamp.name, l.ActiveLow)
		if err != nil {
			return cue.Lamps{}, err
		}
		*lamp.to = o
	}
	return lamps, lamps.Open()
}

func (l *Lamps) check(Pi) error {
	if l.Green == "" && l.Yellow == "" && l.Red == "" {
		return errors.New("no lamp is given: write the line of green, yellow or red")
	}
	return nil
}

// Describe implements Part.
func (l *Lamps) Describe() Description {
	var lines []string
	for _, line := range []string{l.Green, l.Yellow, l.Red} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return Description{
		Title: "lamps", Label: "lamp", Wiring: strings.Join(lines, " "),
		Buy: []string{"LEDs, green, yellow and red, with a resistor of 330 Ω each"},
	}
}

// Wires implements Part.
func (l *Lamps) Wires() []Wire {
	wires := []Wire{{Terminal: "cathodes", Line: Ground, Note: "lamps that draw more than 8 mA need a transistor each"}}
	end := "anode"
	if l.ActiveLow {
		wires = []Wire{{Terminal: "anodes", Line: Volts3V3, Note: "lamps that draw more than 8 mA need a transistor each"}}
		end = "cathode"
	}
	for _, lamp := range []struct{ colour, line string }{{"green", l.Green}, {"yellow", l.Yellow}, {"red", l.Red}} {
		if lamp.line != "" {
			wires = append(wires, Wire{Terminal: lamp.colour + " " + end, Line: lamp.line, Via: "330 Ω"})
		}
	}
	return wires
}

// Tamper is [tamper]: a switch that is closed while the housing is closed.
type Tamper struct {
	Pin string `toml:"pin"`
}

// Section implements Part.
func (*Tamper) Section() string { return "tamper" }

// Open starts to watch the switch.
func (t *Tamper) Open() (*cue.Tamper, error) {
	found, err := lines(t.Pin)
	if err != nil {
		return nil, err
	}
	return cue.OpenTamper(found[0])
}

func (*Tamper) check(Pi) error { return nil }

// Describe implements Part.
func (t *Tamper) Describe() Description {
	return Description{Title: "tamper switch", Label: "tamper", Wiring: t.Pin, Buy: []string{"microswitch that the lid presses"}}
}

// Wires implements Part.
func (t *Tamper) Wires() []Wire {
	return []Wire{
		{Terminal: "COM", Line: Ground},
		{Terminal: "NO", Line: t.Pin, Note: "closed while the lid presses the switch"},
	}
}

// Watchdog is [watchdog]: it restarts the machine if the program hangs.
type Watchdog struct {
	Device  string   `toml:"device"`  // usually /dev/watchdog
	Timeout Duration `toml:"timeout"` // whole seconds
}

// Section implements Part.
func (*Watchdog) Section() string { return "watchdog" }

// Open starts the watchdog: from now on each of the parts must report that it is
// alive (see cue.OpenWatchdog).
func (w *Watchdog) Open(parts ...string) (*cue.Watchdog, error) {
	return cue.OpenWatchdog(w.Device, w.Timeout.Duration, parts...)
}

// The limits of a timeout. With less than the least, a working program could miss
// it, because it has many parts to check.
const (
	leastTimeout = 10 * time.Second
	mostTimeout  = 5 * time.Minute
)

func (w *Watchdog) check(pi Pi) error {
	most := mostTimeout
	if pi != "" {
		most = longestWatchdog * time.Second
	}
	if err := checkTime("timeout", w.Timeout, leastTimeout, most); err != nil {
		return err
	}
	if w.Timeout.Duration%time.Second != 0 {
		return fmt.Errorf("timeout is %v: use whole seconds", w.Timeout)
	}
	return checkDevice("device", w.Device, "/dev/watchdog")
}

// Describe implements Part.
func (w *Watchdog) Describe() Description {
	return Description{Title: "watchdog", Label: "watchdog", Wiring: fmt.Sprintf("%s, %v", w.Device, w.Timeout)}
}

// Wires implements Part.
func (*Watchdog) Wires() []Wire { return nil }

// level names the level at which something is on.
func level(activeLow bool) string {
	if activeLow {
		return "low"
	}
	return "high"
}
