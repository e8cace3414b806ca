package display_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// fake is a device that behaves as the test says.
type fake struct {
	block chan bool // Show returns when this can be received from; nil for at once

	mu       sync.Mutex
	fails    error // the error of Show
	check    error
	shown    []string
	refreshs int
	closed   bool
}

func (f *fake) Show(frame display.Frame) error {
	if f.block != nil {
		<-f.block
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails == nil {
		f.shown = append(f.shown, frame.Rows[0])
	}
	return f.fails
}

func (f *fake) Check() error { f.mu.Lock(); defer f.mu.Unlock(); return f.check }

func (f *fake) Refresh() error { f.mu.Lock(); defer f.mu.Unlock(); f.refreshs++; return nil }

func (f *fake) Close() error { f.mu.Lock(); defer f.mu.Unlock(); f.closed = true; return nil }

// set changes how the device behaves.
func (f *fake) set(fails, check error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails, f.check = fails, check
}

// saw is what happened to the device: what it showed, how often it was refreshed,
// and whether it was closed.
func (f *fake) saw() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.shown, f.refreshs, f.closed)
}

func frame(s string) display.Frame { return display.Frame{Rows: []string{s}} }

// opener opens one device after the other; nil stands for a missing display.
func opener(devices ...*fake) func() (display.Device, error) {
	return func() (display.Device, error) {
		d := devices[0]
		if len(devices) > 1 {
			devices = devices[1:]
		}
		if d == nil {
			return nil, errors.New("no such display")
		}
		return d, nil
	}
}

// states records the calls of changed.
func states(list *[]string) func(error) {
	return func(err error) { *list = append(*list, fmt.Sprint(err)) }
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestKeeperShowsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan bool)
		d := &fake{block: release}
		var told []string
		k := display.Keep(opener(d), states(&told))
		synctest.Wait()
		for i := range 100 { // the first is being written, the others wait
			k.Show(frame(fmt.Sprint(i)))
			if i == 0 {
				synctest.Wait()
			}
		}
		close(release)
		synctest.Wait()
		want(t, "shown", d.saw(), "[0 99] 0 false")
		k.Show(frame("the end"))
		k.Close()
		want(t, "shown", d.saw(), "[0 99 the end] 0 true")
		want(t, "told", told, []string{"<nil>"})
	})
}

func TestKeeperOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &fake{}
		healed := &fake{}
		var told []string
		k := display.Keep(opener(nil, nil, broken, nil, nil, nil, healed), states(&told))
		k.Show(frame("early"))
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		want(t, "when it came", broken.saw(), "[early] 0 false")
		broken.set(errors.New("no acknowledge"), nil)
		k.Show(frame("lost"))
		synctest.Wait()
		want(t, "when it was lost", broken.saw(), "[early] 0 true")
		k.Show(frame("while it was away"))
		k.Show(frame("now"))
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		want(t, "when it came back", healed.saw(), "[now] 0 false")
		k.Close()
		want(t, "told", told, []string{"no such display", "<nil>", "no acknowledge", "<nil>"})
	})
}

func TestKeeperChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reset := &fake{}
		blind := &fake{check: display.ErrBlind}
		var told []string
		k := display.Keep(opener(reset, blind), states(&told))
		k.Show(frame("idle"))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		want(t, "while all is well", reset.saw(), "[idle] 0 false")
		reset.set(nil, errors.New("pins are 11111111"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		want(t, "after a loss of power", reset.saw(), "[idle] 0 true")
		want(t, "its successor", blind.saw(), "[idle] 0 false")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, "two minutes later", blind.saw(), "[idle] 2 false")
		k.Close()
		want(t, "told", told, []string{"<nil>", "pins are 11111111", "<nil>"})
	})
}

// TestKeeperAbandons checks that writes that never return delay neither the user
// nor the next display, and that they do not accumulate.
func TestKeeperAbandons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan bool)
		stuck := func() *fake { return &fake{block: never} }
		var told []string
		good := &fake{}
		k := display.Keep(opener(stuck(), good), states(&told))
		start := time.Now()
		k.Show(frame("a"))
		synctest.Wait()
		k.Show(frame("b"))
		want(t, "time that Show took", time.Since(start), 0)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		want(t, "the next", good.saw(), "[b] 0 false")
		k.Close()
		want(t, "told", told, []string{"the display did not take a frame in time", "<nil>"})

		var opened atomic.Int32
		k = display.Keep(func() (display.Device, error) { opened.Add(1); return stuck(), nil }, func(error) {})
		k.Show(frame("c"))
		before := runtime.NumGoroutine()
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, "times opened in an hour", opened.Load(), 4)
		if more := runtime.NumGoroutine() - before; more > 4 {
			t.Errorf("%d goroutines more after an hour", more)
		}
		k.Close()
		close(never)
	})
}

// TestKeeperOpensLate checks that the keeper waits for a slow open and does not
// call open a second time meanwhile. A device that opens after Close is closed.
func TestKeeperOpensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &fake{}
		var opens atomic.Int32
		var told []string
		open := func() (display.Device, error) {
			opens.Add(1)
			time.Sleep(time.Minute)
			return late, nil
		}
		k := display.Keep(open, states(&told))
		k.Show(frame("x"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, "calls of open", opens.Load(), 1)
		want(t, "shown", late.saw(), "[x] 0 false")
		k.Close()
		want(t, "told", told, []string{"the display did not open in time", "<nil>"})

		late = &fake{}
		k = display.Keep(open, func(error) {})
		synctest.Wait()
		k.Close()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, "after Close", late.saw(), "[] 0 true")
	})
}

func TestKeeperStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan bool)
		time.AfterFunc(time.Hour, func() { close(slow) })
		for _, open := range []func() (display.Device, error){
			opener(nil), opener(&fake{}), opener(&fake{block: slow}),
		} {
			k := display.Keep(open, func(error) {})
			synctest.Wait()
			k.Show(frame("x"))
			synctest.Wait()
			k.Close()
			k.Close()
			k.Show(frame("nobody"))
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestUnplugged unplugs a backpack during a visit, cuts its power while nothing
// is shown, upsets the controller behind it, and checks what a person sees.
func TestUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		lcd := displaysim.NewHD44780(4, 20, clock)
		expander := displaysim.NewExpander(lcd)
		bus := &displaysim.I2C{Address: 0x27, Target: expander, Hertz: 100000, Clock: clock}
		var told []string
		k := display.Keep(func() (display.Device, error) {
			backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, clock.Wait)
			if err != nil {
				return nil, err
			}
			part, err := hd44780.New(backpack, 4, 20, hd44780.AnyROM)
			if err != nil {
				return nil, err
			}
			return display.NewText(part)
		}, states(&told))
		see := func(what, text string) {
			t.Helper()
			synctest.Wait()
			bus.Between(func() { want(t, what, strings.TrimRight(lcd.Text()[0], " "), text) })
		}
		k.Show(frame("Sett inn kortet"))
		see("plugged", "Sett inn kortet")

		bus.Unplug()
		k.Show(frame("Tast PIN-koden"))
		synctest.Wait()
		bus.Between(expander.PowerCycle)
		see("pulled", "")
		k.Show(frame("Velkommen, Bjørg"))
		time.Sleep(10 * time.Second)
		bus.Plug()
		time.Sleep(1500 * time.Millisecond)
		see("plugged again", "Velkommen, Bjørg")

		bus.Between(expander.PowerCycle)
		see("reset", "")
		time.Sleep(7 * time.Second)
		see("reset, and found out", "Velkommen, Bjørg")

		bus.Between(lcd.PowerCycle) // the expander keeps its state
		see("upset", "")
		time.Sleep(time.Minute + 5*time.Second)
		see("upset, and written again", "Velkommen, Bjørg")
		k.Close()
		want(t, "told", told, []string{
			"<nil>",
			"cannot write to display: no answer from PCF8574(0x27): no acknowledge",
			"<nil>",
			"PCF8574(0x27) has lost its state: R/W or E is high, pins are 11111111",
			"<nil>",
		})
		want(t, "faults", lcd.Faults, []string(nil))
	})
}

// closing is a bus that counts the calls of Close.
type closing struct {
	*displaysim.I2C
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// TestTextHeals checks Text without a Keeper: after a write that failed, the next
// write starts the part first. NewText closes a part that cannot be started.
func TestTextHeals(t *testing.T) {
	clock := &displaysim.Clock{}
	lcd := displaysim.NewHD44780(2, 16, clock)
	expander := displaysim.NewExpander(lcd)
	bus := &closing{I2C: &displaysim.I2C{Address: 0x27, Target: expander, Hertz: 100000, Clock: clock}}
	backpack, err := hd44780.NewBackpack(bus, 0x27, hd44780.Common, clock.Wait)
	if err != nil {
		t.Fatal(err)
	}
	part, err := hd44780.New(backpack, 2, 16, hd44780.AnyROM)
	if err != nil {
		t.Fatal(err)
	}
	text, err := display.NewText(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := text.Show(frame("på")); err != nil {
		t.Fatal(err)
	}
	bus.Unplug()
	if err := text.Show(frame("på plass")); err == nil {
		t.Error("a display that is unplugged took a frame")
	}
	expander.PowerCycle()
	bus.Plug()
	if err := text.Show(frame("på plass igjen")); err != nil {
		t.Fatal(err)
	}
	want(t, "shown", lcd.Text()[0], "på plass igjen  ")
	want(t, "faults", lcd.Faults, []string(nil))

	bus.Unplug()
	if _, err := display.NewText(part); err == nil || err.Error() != "cannot start display: no answer from PCF8574(0x27): no acknowledge" {
		t.Error(err)
	}
	want(t, "closed", bus.closed, 1)
}
