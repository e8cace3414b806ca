package frontpanel_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/keypad/keypadsim"
)

// machine is a Pi with the parts of deploy/boards/zero2w-keypad-lcd.toml. They are
// models, registered with periph.
type machine struct {
	keys     *keypadsim.Contacts
	lcd      *displaysim.HD44780
	bus      *displaysim.I2C
	lamps    map[string]*watched
	buzzer   *watched
	housing  *housing
	messages chan struct{} // receives when a part changes
}

const layout = "123L456 789 *0# " // of the board, without its line breaks

func newMachine(t testing.TB) *machine {
	messages := make(chan struct{}, 1)
	m := &machine{
		keys:     keypadsim.New([]string{"GPIO5", "GPIO6", "GPIO13", "GPIO19"}, []string{"GPIO12", "GPIO16", "GPIO20", "GPIO21"}),
		lamps:    map[string]*watched{"green": newWatched("GPIO17", messages), "yellow": newWatched("GPIO27", messages), "red": newWatched("GPIO22", messages)},
		buzzer:   newWatched("GPIO23", messages),
		housing:  &housing{Pin: gpiotest.Pin{N: "GPIO25", EdgesChan: make(chan gpio.Level, 16)}},
		messages: messages,
	}
	for _, wire := range slices.Concat(m.keys.Rows, m.keys.Cols) {
		register(t, wire)
	}
	for _, pin := range []gpio.PinIO{m.lamps["green"], m.lamps["yellow"], m.lamps["red"], m.buzzer, m.housing, &gpiotest.Pin{N: "GPIO24"}} {
		register(t, pin)
	}
	clock := &displaysim.Clock{}
	m.lcd = displaysim.NewHD44780(4, 20, clock)
	m.bus = &displaysim.I2C{Address: 0x27, Target: displaysim.NewExpander(m.lcd), Hertz: 100000, Clock: clock}
	if err := i2creg.Register("/dev/i2c-1", nil, -1, func() (i2c.BusCloser, error) { return openBus{m.bus, m.messages}, nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i2creg.Unregister("/dev/i2c-1") })
	return m
}

func register(t testing.TB, pin gpio.PinIO) {
	t.Helper()
	if err := gpioreg.Register(pin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gpioreg.Unregister(pin.Name()) })
}

// openBus reports writes to the display.
type openBus struct {
	*displaysim.I2C
	messages chan struct{}
}

func (b openBus) Tx(address uint16, w, r []byte) error {
	err := b.I2C.Tx(address, w, r)
	select {
	case b.messages <- struct{}{}:
	default:
	}
	return err
}

func (b openBus) Close() error { return nil }

// text returns what the display shows.
func (m *machine) text() string {
	var rows []string
	m.bus.Between(func() { rows = m.lcd.Text() })
	for i, row := range rows {
		rows[i] = strings.TrimRight(row, " ")
	}
	return strings.Join(rows, "|")
}

// hold presses or releases a key.
func (m *machine) hold(key rune, down bool) {
	m.keys.Set(strings.IndexRune(layout, key), down)
}

// lit returns the lamps that are on.
func (m *machine) lit() string {
	var on []string
	for _, colour := range []string{"green", "yellow", "red"} {
		if m.lamps[colour].Read() {
			on = append(on, colour)
		}
	}
	return strings.Join(on, " ")
}

// watched is an output that counts how often it was switched on.
type watched struct {
	gpiotest.Pin
	changed chan<- struct{} // receives at each level that is set

	mu  sync.Mutex
	ons int
}

func newWatched(name string, changed chan<- struct{}) *watched {
	return &watched{Pin: gpiotest.Pin{N: name}, changed: changed}
}

func (w *watched) Out(l gpio.Level) error {
	w.mu.Lock()
	if l && !w.Read() {
		w.ons++
	}
	w.mu.Unlock()
	err := w.Pin.Out(l)
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return err
}

// count returns how often it was switched on since the last call.
func (w *watched) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.ons
	w.ons = 0
	return n
}

// housing is a tamper switch. It is closed until it is opened.
type housing struct {
	gpiotest.Pin
	mu   sync.Mutex
	open bool
}

func (h *housing) Read() gpio.Level {
	h.mu.Lock()
	defer h.mu.Unlock()
	return gpio.Level(h.open)
}

func (h *housing) set(open bool) {
	h.mu.Lock()
	h.open = open
	h.mu.Unlock()
	h.EdgesChan <- gpio.Level(open)
}

// String names it in periph's messages.
func (h *housing) String() string { return fmt.Sprintf("%s with the lid's switch", h.N) }
