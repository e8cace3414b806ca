package keypad

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// combination holds a modifier while other keys are pressed.
func combination(modifier uint16, codes ...uint16) []inputEvent {
	all := []inputEvent{{evKey, modifier, 1}, {evSyn, synReport, 0}}
	for _, code := range codes {
		all = append(all, press(code)...)
	}
	return append(all, inputEvent{evKey, modifier, 0}, inputEvent{evSyn, synReport, 0})
}

// ways are the known ways in which number pads send each key.
var ways = func() map[rune][][]inputEvent {
	all := map[rune][][]inputEvent{}
	for digit := range 10 {
		key := '0' + rune(digit)
		for _, row := range padDigits {
			all[key] = append(all[key], press(row[digit]))
		}
	}
	for code, key := range navigation {
		all[key] = append(all[key], press(code))
	}
	for _, code := range []uint16{96, 28, 0x20b} {
		all['#'] = append(all['#'], press(code))
	}
	for _, code := range []uint16{55, 83, 14, 111, 1, 0x163} {
		all['*'] = append(all['*'], press(code))
	}
	for _, modifier := range []uint16{42, 54} {
		all['#'] = append(all['#'], combination(modifier, 4))
		all['*'] = append(all['*'], combination(modifier, 9))
	}
	for _, modifier := range []uint16{56, 100} {
		all['#'] = append(all['#'], combination(modifier, 82, 82, 81, 76), combination(modifier, 81, 76), combination(modifier, 110, 110, 109, 76))
		all['*'] = append(all['*'], combination(modifier, 82, 82, 75, 80))
	}
	return all
}()

// noise is input that is not a key here, from a pad or a person.
func noise(r *rand.Rand) []inputEvent {
	digit := func() uint16 { return padDigits[r.IntN(2)][r.IntN(10)] }
	switch r.IntN(5) {
	case 0:
		return press(69) // Num Lock
	case 1:
		return combination([]uint16{29, 97, 125, 126}[r.IntN(4)], digit(), digit())
	case 2:
		return combination(42, padDigits[0][r.IntN(10)])
	case 3: // the Alt code of a digit
		return combination(56, 82, 82, padDigits[0][4], padDigits[0][8], 81)
	default:
		code := digit()
		return append([]inputEvent{{evKey, 29, 1}, {evKey, 42, 1}}, append(press(code), inputEvent{evKey, 42, 0}, inputEvent{evKey, 29, 0})...)
	}
}

// TestNumberPads types random PINs on pads that send each key in any of the known
// ways, with noise between the keys.
func TestNumberPads(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 12))
		var want string
		var events []inputEvent
		for range 1 + r.IntN(12) {
			if r.IntN(3) == 0 {
				events = append(events, noise(r)...)
			}
			key := rune("0123456789*#"[r.IntN(12)])
			want += string(key)
			events = append(events, ways[key][r.IntN(len(ways[key]))]...)
		}
		reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
			file.send(inputEvent{evKey, 77, 0}) // 6 was down
			for _, e := range events {
				file.send(e)
				synctest.Wait()
			}
			if got := taken(k); got != want {
				t.Errorf("seed %d: got %q, want %q", seed, got, want)
			}
		})
	}
}

// TestModifierAtStart checks that a modifier makes chords if it is down when the
// pad is found, or if it goes down while the kernel drops events.
func TestModifierAtStart(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		file.mu.Lock()
		file.down.add(29)
		file.mu.Unlock()
		file.send(inputEvent{evSyn, synDropped, 0}, inputEvent{evSyn, synReport, 0})
		file.send(press(79)...)
		file.send(inputEvent{evKey, 29, 0}, inputEvent{evSyn, synReport, 0})
		file.send(press(80)...)
		if got := taken(k); got != "2" {
			t.Errorf("got %q, want 2", got)
		}
	})
}

// TestDoubleZeroKey checks both kinds of 00 key: one that sends 0 twice at once,
// and one with a HID usage of its own.
func TestDoubleZeroKey(t *testing.T) {
	for usage, want := range map[int32]string{0x700b0: "00", 0x700b1: "000"} {
		reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
			k.strikes.DoubleStrike = 500 * time.Millisecond
			file.send(append(press(82), press(82)...)...)
			if got := taken(k); got != "00" {
				t.Errorf("twice 0: %q", got)
			}
			time.Sleep(time.Second)
			file.send(append([]inputEvent{{evMsc, mscScan, usage}}, press(240)...)...)
			if got := taken(k); got != want {
				t.Errorf("usage %#x: %q, want %s", usage, got, want)
			}
		})
	}
}

// TestUnknownKeys checks that unknown keys are reported once each, and that no
// digit is named.
func TestUnknownKeys(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		for range 2 {
			file.send(press(200)...)
			file.send(append([]inputEvent{{evMsc, mscScan, 0x700a5}}, press(240)...)...)
			file.send(combination(56, 82, 82, padDigits[0][4], padDigits[0][9])...)
			file.send(combination(29, 79)...)
		}
		if got := taken(k); got != "" {
			t.Errorf("got %q", got)
		}
		var reports []string
		for len(k.events) > 0 {
			e := <-k.events
			reports = append(reports, fmt.Sprint(e.Kind, ": ", e.Err))
		}
		want := "unknown key: key code 200; unknown key: key code 240 (HID usage 0x700a5); unknown key: an Alt code other than those of # and *"
		if got := strings.Join(reports, "; "); got != want {
			t.Errorf("reports %s\nwant %s", got, want)
		}
	})
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		for code := range uint16(0x100) {
			if code != 77 { // 77 is down
				file.send(press(code)...)
				synctest.Wait()
			}
		}
		if len(k.events) > maxReports {
			t.Errorf("%d reports", len(k.events))
		}
	})
}

// TestTwoEventDevices uses a pad that sends Shift on one event device and 3 on
// another, and one key on both.
func TestTwoEventDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newChord()
		k := &Keypad{keys: make(chan rune, keyBuffer), events: make(chan Event, eventBuffer)}
		var files [2]*fakePad
		ended := make(chan error)
		for i := range files {
			files[i] = newFakePad("Test Pad")
			p := &pad{name: "Test Pad", file: files[i], codes: DefaultCodes(), chord: shared, stuckAfter: DefaultStuckAfter}
			if err := p.seize(); err != nil {
				t.Fatal(err)
			}
			go func() { ended <- p.read(k) }()
		}
		send := func(i int, events ...inputEvent) { files[i].send(events...); synctest.Wait() }
		send(0, press(79)...)
		send(1, press(79)...) // the same press
		send(0, inputEvent{evKey, 42, 1}, inputEvent{evSyn, synReport, 0})
		send(1, press(4)...)
		send(1, press(2)...) // a chord
		send(0, inputEvent{evKey, 42, 0}, inputEvent{evSyn, synReport, 0})
		send(1, press(2)...)
		if got := taken(k); got != "1#1" {
			t.Errorf("got %q, want 1#1", got)
		}
		for _, f := range files {
			f.unplug()
			<-ended
		}
	})
}

// TestTiming checks the double-strike guard and the repeat of *.
func TestTiming(t *testing.T) {
	reading(t, func(t *testing.T, file *fakePad, k *Keypad) {
		k.strikes.Timing = Timing{DoubleStrike: 300 * time.Millisecond, RepeatAfter: time.Second, RepeatEvery: 400 * time.Millisecond}
		type_ := func(codes ...uint16) {
			for _, code := range codes {
				file.send(press(code)...)
				synctest.Wait()
				time.Sleep(100 * time.Millisecond)
			}
		}
		type_(79, 79, 79, 80, 79) // the second and third 1 come from a shaking hand
		if got := taken(k); got != "121" {
			t.Errorf("with a guard of 300 ms: %q, want 121", got)
		}
		time.Sleep(time.Second)
		type_(79)
		time.Sleep(300 * time.Millisecond)
		type_(79)
		if got := taken(k); got != "11" {
			t.Errorf("slowly: %q, want 11", got)
		}
		hold := func(code uint16, d time.Duration) {
			file.send(inputEvent{evKey, code, 1}, inputEvent{evSyn, synReport, 0})
			time.Sleep(d)
			file.send(inputEvent{evKey, code, 0}, inputEvent{evSyn, synReport, 0})
			synctest.Wait()
			time.Sleep(5 * time.Second)
		}
		hold(55, 1900*time.Millisecond)
		if got := taken(k); got != "****" { // at 0, 1, 1.4 and 1.8 s
			t.Errorf("* held: %q, want ****", got)
		}
		hold(80, 5*time.Second)
		if got := taken(k); got != "2" {
			t.Errorf("2 held: %q, want 2", got)
		}
	})
	for _, bad := range []Timing{{DoubleStrike: -1}, {RepeatAfter: time.Second}, {RepeatEvery: time.Second}} {
		if _, err := OpenUSB(USB{Timing: bad}); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
