package display_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/hd44780"
)

// fake is a device that does what a test tells it to.
type fake struct {
	shown    []string
	show     func() error // may block
	check    error
	refreshs int
	closed   bool
}

func (f *fake) Show(frame display.Frame) error {
	if f.show != nil {
		if err := f.show(); err != nil {
			return err
		}
	}
	f.shown = append(f.shown, frame.Rows[0])
	return nil
}
func (f *fake) Check() error   { return f.check }
func (f *fake) Refresh() error { f.refreshs++; return nil }
func (f *fake) Close() error   { f.closed = true; return nil }

func frame(s string) display.Frame { return display.Frame{Rows: []string{s}} }

// opener opens one device after the other; nil is a display that is missing.
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

// states writes down what changed is told.
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
		d := &fake{show: func() error { <-release; return nil }}
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
		want(t, "shown", d.shown, []string{"0", "99"})
		k.Show(frame("the end"))
		k.Close()
		want(t, "shown", d.shown, []string{"0", "99", "the end"})
		want(t, "closed", d.closed, true)
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
		want(t, "shown when it came", broken.shown, []string{"early"})
		broken.show = func() error { return errors.New("no acknowledge") }
		k.Show(frame("lost"))
		synctest.Wait()
		want(t, "closed", broken.closed, true)
		k.Show(frame("while it was away"))
		k.Show(frame("now"))
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		want(t, "shown when it came back", healed.shown, []string{"now"})
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
		want(t, "closed while all is well", reset.closed, false)
		reset.check = errors.New("pins are 11111111")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		want(t, "shown after a loss of power", blind.shown, []string{"idle"})
		want(t, "refreshed too early", blind.refreshs, 0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, "refreshed in two minutes", blind.refreshs, 2)
		k.Close()
		want(t, "told", told, []string{"<nil>", "pins are 11111111", "<nil>"})
	})
}

// TestKeeperAbandons: writes that never return cost neither the user nor the
// next display anything, and do not pile up.
func TestKeeperAbandons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan bool)
		stuck := func() *fake { return &fake{show: func() error { <-never; return errors.New("let go") }} }
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
		want(t, "shown by the next", good.shown, []string{"b"})
		k.Close()
		want(t, "told", told, []string{"the display did not take a frame in time", "<nil>"})

		opened := 0
		k = display.Keep(func() (display.Device, error) { opened++; return stuck(), nil }, func(error) {})
		k.Show(frame("c"))
		before := runtime.NumGoroutine()
		time.Sleep(time.Hour)
		synctest.Wait()
		want(t, "times opened in an hour", opened, 4)
		if more := runtime.NumGoroutine() - before; more > 4 {
			t.Errorf("%d goroutines more after an hour", more)
		}
		k.Close()
		close(never)
	})
}

// TestKeeperOpensLate: a display that was opened after the deadline is closed.
func TestKeeperOpensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &fake{}
		again := &fake{}
		n := 0
		k := display.Keep(func() (display.Device, error) {
			if n++; n > 1 {
				return again, nil
			}
			time.Sleep(time.Minute)
			return late, nil
		}, func(error) {})
		k.Show(frame("x"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want(t, "closed", late.closed, true)
		want(t, "shown by it", len(late.shown), 0)
		want(t, "shown by the next", again.shown, []string{"x"})
		k.Close()
	})
}

func TestKeeperStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, open := range []func() (display.Device, error){
			opener(nil), opener(&fake{}), opener(&fake{show: func() error { time.Sleep(time.Hour); return nil }}),
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

// TestUnplugged pulls a backpack in the midst of a visit, takes its power while
// nothing is shown, and looks at what a person sees.
func TestUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &displaysim.Clock{}
		lcd := displaysim.NewHD44780(4, 20, clock)
		expander := displaysim.NewExpander(lcd)
		bus := &displaysim.I2C{Address: 0x27, Target: expander, Hertz: 100000, Clock: clock}
		var told []string
		k := display.Keep(func() (display.Device, error) {
			backpack, err := hd44780.NewBackpack(bus, 0x27, clock.Wait)
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
			want(t, what, strings.TrimRight(lcd.Text()[0], " "), text)
		}
		k.Show(frame("Sett inn kortet"))
		see("plugged", "Sett inn kortet")

		bus.Unplug()
		k.Show(frame("Tast PIN-koden"))
		synctest.Wait()
		expander.PowerCycle()
		see("pulled", "")
		k.Show(frame("Velkommen, Bjørg"))
		time.Sleep(10 * time.Second)
		bus.Plug()
		time.Sleep(1500 * time.Millisecond)
		see("plugged again", "Velkommen, Bjørg")

		expander.PowerCycle()
		see("reset", "")
		time.Sleep(7 * time.Second)
		see("reset, and found out", "Velkommen, Bjørg")
		k.Close()
		want(t, "told", told, []string{
			"<nil>",
			"cannot write to display: no answer from PCF8574(0x27): no acknowledge",
			"<nil>",
			told[3], "<nil>",
		})
		if !strings.HasPrefix(told[3], "PCF8574(0x27) has lost its state: pins are 11111111") {
			t.Error(told[3])
		}
		want(t, "faults", lcd.Faults, []string(nil))
	})
}
