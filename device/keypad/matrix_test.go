package keypad

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"smartkiosk/device/keypad/keypadsim"
	"smartkiosk/device/line"
)

const (
	hold   = 100 * time.Millisecond // how long a finger holds a key
	breath = 200 * time.Millisecond // and the pause before the next key
)

// newContacts returns contacts between lines ROW0, COL0 and so on.
func newContacts(rows, cols int) *keypadsim.Contacts {
	names := func(kind string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s%d", kind, i))
		}
		return names
	}
	return keypadsim.New(names("ROW", rows), names("COL", cols))
}

func matrixOf(c *keypadsim.Contacts, l Layout) Matrix {
	m := Matrix{Layout: l}
	for _, w := range c.Rows {
		m.Rows = append(m.Rows, w)
	}
	for _, w := range c.Cols {
		m.Cols = append(m.Cols, w)
	}
	return m
}

// inBubble runs a test in virtual time on an open 4×4 pad.
func inBubble(t *testing.T, f func(t *testing.T, c *keypadsim.Contacts, k *Keypad)) {
	synctest.Test(t, func(t *testing.T) {
		c := newContacts(4, 4)
		k := openContacts(t, c, matrixOf(c, layout4x4))
		defer closeContacts(t, c, k)
		f(t, c, k)
	})
}

func openContacts(t interface{ Fatal(...any) }, c *keypadsim.Contacts, m Matrix) *Keypad {
	k, err := OpenMatrix(m)
	if err != nil {
		t.Fatal(err)
	}
	if e := <-k.Events(); e.Kind != Found {
		t.Fatal("first event:", e)
	}
	time.Sleep(breath)
	return k
}

func closeContacts(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
	t.Helper()
	began := time.Now()
	k.Close()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
	for _, w := range append(c.Rows, c.Cols...) {
		if !w.Released() {
			t.Errorf("%s is not given back", w.Name())
		}
	}
	for _, fault := range c.Faults() {
		t.Error(fault)
	}
}

// key returns the number of a key of the 4×4 pad.
func key(r rune) int {
	return strings.IndexRune(strings.Join(layout4x4, ""), r)
}

func tap(c *keypadsim.Contacts, r rune) {
	c.Set(key(r), true)
	time.Sleep(hold)
	c.Set(key(r), false)
	time.Sleep(breath)
}

func taken(k *Keypad) string {
	synctest.Wait()
	var keys strings.Builder
	for {
		select {
		case r := <-k.Keys():
			keys.WriteRune(r)
		default:
			return keys.String()
		}
	}
}

func told(k *Keypad) (events []Event) {
	synctest.Wait()
	for {
		select {
		case e := <-k.Events():
			events = append(events, e)
		default:
			return events
		}
	}
}

func wantKinds(t *testing.T, k *Keypad, want ...Kind) []Event {
	t.Helper()
	events := told(k)
	ok := len(events) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = events[i].Kind == want[i]
	}
	if !ok {
		t.Fatalf("events %v, want %v", events, want)
	}
	return events
}

func TestEveryKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		for _, r := range "1234567890*#L" {
			tap(c, r)
			if got := taken(k); got != string(r) {
				t.Errorf("%c gives %q", r, got)
			}
		}
		for _, n := range []int{7, 11, 15} { // B, C and D do nothing
			c.Set(n, true)
			time.Sleep(hold)
			c.Set(n, false)
			time.Sleep(breath)
		}
		if got := taken(k); got != "" {
			t.Errorf("a key without a meaning gives %q", got)
		}
		wantKinds(t, k)
	})
}

func TestThreeByFourAndPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContacts(4, 3)
		for _, w := range c.Cols {
			w.Deaf = true
		}
		m := matrixOf(c, layout3x4)
		if _, err := OpenMatrix(m); err == nil || !strings.Contains(err.Error(), "cannot use pin COL0: no interrupts") {
			t.Errorf("lines without edges: %v", err)
		}
		m.Poll = 20 * time.Millisecond
		k := openContacts(t, c, m)
		for n := range 12 {
			c.Set(n, true)
			time.Sleep(hold)
			c.Set(n, false)
			time.Sleep(breath)
		}
		if got := taken(k); got != "123456789*0#" {
			t.Errorf("keys %q", got)
		}
		closeContacts(t, c, k)
	})
}

// Fingers press one key after another and the contacts bounce at random. The keys
// must come out as they were pressed, in order.
func TestTypingWithBounce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // Deadline is not for bubbles
			var want strings.Builder
			move := func(n int, to bool) {
				for end := time.Now().Add(time.Duration(rapid.Int64Range(0, int64(bounce)).Draw(rt, "bounce"))); time.Now().Before(end); {
					c.Set(n, rapid.Bool().Draw(rt, "contact"))
					time.Sleep(time.Duration(rapid.IntRange(50, 3000).Draw(rt, "µs")) * time.Microsecond)
				}
				c.Set(n, to)
			}
			for _, r := range rapid.SliceOfN(rapid.SampledFrom([]rune("1234567890*#L")), 1, 8).Draw(rt, "keys") {
				want.WriteRune(r)
				move(key(r), true)
				time.Sleep(time.Duration(rapid.IntRange(50, 400).Draw(rt, "held ms")) * time.Millisecond)
				move(key(r), false)
				time.Sleep(time.Duration(rapid.IntRange(50, 400).Draw(rt, "between ms")) * time.Millisecond)
			}
			if got := taken(k); got != want.String() {
				rt.Fatalf("typed %q, got %q", want.String(), got)
			}
		})
	})
}

// For any sequence of contacts, a key comes out only when its own contact is
// closed and no other contact is, except stuck ones. So no ghost and none of two
// keys comes out. A key may come out at the end of the look that saw it.
func TestNothingButWhatWasMeant(t *testing.T) {
	const look = 4 * rowTime
	type state struct {
		until time.Time
		down  string // keys whose contacts are closed
	}
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // Deadline is not for bubbles
			var states []state
			for range rapid.IntRange(1, 30).Draw(rt, "steps") {
				before := time.Now()
				c.Set(rapid.IntRange(0, 15).Draw(rt, "key"), rapid.Bool().Draw(rt, "closed"))
				down := ""
				for _, n := range c.Closed() {
					down += string(layout4x4[n/4][n%4])
				}
				time.Sleep(time.Duration(rapid.IntRange(1, 120).Draw(rt, "ms")) * time.Millisecond)
				states = slices.DeleteFunc(states, func(s state) bool { return before.Sub(s.until) > look+slowScan })
				states = append(states, state{time.Now(), down})
				if got := taken(k); got != "" && !slices.ContainsFunc(states, func(s state) bool { return s.down == got }) {
					rt.Fatalf("%q came out %v after %q was all that was down", got, time.Since(before), down)
				}
			}
			for n := range 16 {
				c.Set(n, false)
			}
			time.Sleep(breath)
			taken(k)
			tap(c, '5')
			if got := taken(k); got != "5" {
				rt.Fatalf("after all that, 5 gives %q", got)
			}
			told(k)
		})
	})
}

func TestTwoKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		c.Set(key('1'), true)
		c.Set(key('2'), true)
		time.Sleep(hold)
		c.Set(key('1'), false)
		time.Sleep(hold)
		if got := taken(k); got != "" {
			t.Errorf("two at once give %q", got)
		}
		c.Set(key('2'), false)
		time.Sleep(breath)
		wantKinds(t, k, Rejected)[0].mustNotTell(t)

		c.Set(key('7'), true)
		time.Sleep(hold)
		c.Set(key('8'), true) // before 7 is released
		time.Sleep(hold)
		c.Set(key('7'), false)
		time.Sleep(hold)
		c.Set(key('8'), false)
		time.Sleep(breath)
		tap(c, '9')
		if got := taken(k); got != "79" {
			t.Errorf("the second of two gives %q", got)
		}
		wantKinds(t, k, Rejected)
	})
}

// mustNotTell fails the test if an event contains a digit of a PIN.
func (e Event) mustNotTell(t *testing.T) {
	t.Helper()
	if e.Err != nil || e.Keys != 0 {
		t.Errorf("the event says more than it may: %+v", e)
	}
}

func TestGhost(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		// 1 and 2 of the first row are stuck; pressing 4 also lets current reach
		// 5.
		c.Set(key('1'), true)
		c.Set(key('2'), true)
		time.Sleep(DefaultStuckAfter + time.Second)
		wantKinds(t, k, Rejected, Stuck)
		tap(c, '4')
		if got := taken(k); got != "" {
			t.Errorf("4, or its ghost 5, gives %q", got)
		}
		wantKinds(t, k, Rejected)
		tap(c, '9') // in another column, so there is no rectangle
		if got := taken(k); got != "9" {
			t.Errorf("9 gives %q", got)
		}
	})
}

// Three corners of a rectangle are stuck. The fourth then shows as a contact
// although its key is up.
func TestGhostAlone(t *testing.T) {
	j := judge{cols: 4, stuckAfter: time.Second}
	ms := 0
	step := func(contacts uint32) verdict {
		ms += 30
		return j.look(time.UnixMilli(int64(ms)), contacts)
	}
	three := uint32(1<<0 | 1<<1 | 1<<4)
	step(three)
	for range 40 {
		step(three)
	}
	if j.stuck != three {
		t.Fatalf("stuck: %b", j.stuck)
	}
	for range 5 {
		if v := step(three | 1<<5); v.key >= 0 {
			t.Fatalf("the ghost is taken for key %d", v.key)
		}
	}
	step(three)
	for range 5 {
		step(three)
	}
	got := -1
	for range 5 {
		if v := step(three | 1<<15); v.key >= 0 {
			got = v.key
		}
	}
	if got != 15 {
		t.Errorf("a key off the rectangle gives %d", got)
	}
}

// A scan costs four waits and about forty calls into the kernel. It is repeated
// at full speed only after something has changed.
func TestSlowScan(t *testing.T) {
	j := judge{cols: 4, stuckAfter: DefaultStuckAfter}
	at := time.UnixMilli(0)
	slowAfter := func(d time.Duration, contacts uint32) (slow bool) {
		for end := at.Add(d); at.Before(end); at = at.Add(5 * time.Millisecond) {
			slow = j.look(at, contacts).slow
		}
		return slow
	}
	if slowAfter(100*time.Millisecond, 0) {
		t.Error("slow while no key is down")
	}
	if slowAfter(heldLong, 1<<5) {
		t.Error("slow while a key was pressed a short time ago")
	}
	if !slowAfter(100*time.Millisecond, 1<<5) {
		t.Errorf("not slow after a key was held for more than %v", heldLong)
	}
	if slowAfter(100*time.Millisecond, 1<<5|1<<6) {
		t.Error("slow after another key was pressed")
	}
	if slowAfter(5*time.Millisecond, 0) {
		t.Error("slow when the contacts open")
	}
}

func TestStuckKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		c.Set(key('3'), true)
		time.Sleep(DefaultStuckAfter - time.Second)
		if got := taken(k); got != "3" {
			t.Errorf("3 gives %q", got)
		}
		tap(c, '5')
		if got := taken(k); got != "" {
			t.Errorf("5 gives %q while 3 is down and not yet stuck", got)
		}
		time.Sleep(time.Second)
		events := wantKinds(t, k, Rejected, Stuck)
		if e := events[1]; e.Keys != 1 || e.Err != nil || e.Device != "matrix" {
			t.Errorf("event %+v", e)
		}
		tap(c, '5')
		tap(c, '6')
		if got := taken(k); got != "56" {
			t.Errorf("with 3 out, 5 and 6 give %q", got)
		}
		c.Set(key('3'), false)
		time.Sleep(breath)
		wantKinds(t, k, Freed)
		tap(c, '3')
		if got := taken(k); got != "3" {
			t.Errorf("3 gives %q after it was freed", got)
		}
	})
}

func TestStuckLine(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		c.Ground(c.Cols[1], true)
		time.Sleep(DefaultStuckAfter + time.Second)
		events := told(k)
		last := events[len(events)-1]
		if last.Kind != Stuck || last.Keys != 4 || last.Err == nil || last.Err.Error() != "every key of column COL1 is down: look for a short circuit" {
			t.Errorf("events %+v", events)
		}
		tap(c, '1')
		tap(c, '9')
		if got := taken(k); got != "19" {
			t.Errorf("keys of the other columns give %q", got)
		}
		c.Ground(c.Cols[1], false)
		time.Sleep(breath)
		tap(c, '5')
		if got := taken(k); got != "5" {
			t.Errorf("5 gives %q after the short circuit", got)
		}
		wantKinds(t, k, Freed)
	})
}

func TestDownWhenOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContacts(4, 4)
		c.Set(key('8'), true)
		k := openContacts(t, c, matrixOf(c, layout4x4))
		time.Sleep(hold)
		c.Set(key('8'), false)
		time.Sleep(breath)
		tap(c, '8')
		if got := taken(k); got != "8" {
			t.Errorf("one press after opening gives %q", got)
		}
		closeContacts(t, c, k)
	})
}

// Even if a press coincides with the start or the end of a scan, its edge wakes
// the driver; the press is not found only by the look after waitSlice.
func TestEveryPressWakes(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		for after := time.Duration(0); after < 15*time.Millisecond; after += 100 * time.Microsecond {
			c.Set(key('8'), true) // a touch too short to count
			time.Sleep(300 * time.Microsecond)
			c.Set(key('8'), false)
			time.Sleep(after)
			began := time.Now()
			c.Set(key('5'), true)
			if r := <-k.Keys(); r != '5' {
				t.Fatalf("%v after a touch 5 gives %c", after, r)
			}
			if took := time.Since(began); took > settled+3*4*rowTime {
				t.Errorf("%v after a touch 5 took %v", after, took)
			}
			c.Set(key('5'), false)
			time.Sleep(breath)
		}
	})
}

// While no key is down, the rows stay as they are and nothing is scanned. In an
// hour the driver reads one level per column and second.
func TestIdleCostsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		time.Sleep(breath)
		synctest.Wait()
		before := c.Reads()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := c.Reads() - before; n > 4*3600 {
			t.Errorf("%d levels were read in an idle hour", n)
		}
		for _, w := range c.Rows {
			if !w.Output() {
				t.Errorf("%s does not drive", w.Name())
			}
		}
	})
}

func TestLostAndFound(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		c.Lose(true)
		time.Sleep(10 * time.Second)
		events := wantKinds(t, k, Lost)
		if err := events[0].Err; !errors.Is(err, line.ErrLost) {
			t.Errorf("error %v", err)
		}
		if n := c.Cols[0].Waits(); n > 20 {
			t.Errorf("a lost line was waited for %d times", n)
		}
		c.Lose(false)
		time.Sleep(lookAgain + time.Second)
		wantKinds(t, k, Found)
		tap(c, '1')
		if got := taken(k); got != "1" {
			t.Errorf("1 gives %q", got)
		}
	})
}

func TestNobodyReads(t *testing.T) {
	inBubble(t, func(t *testing.T, c *keypadsim.Contacts, k *Keypad) {
		for range keyBuffer + 3 {
			tap(c, '1')
			c.Set(key('1'), true)
			c.Set(key('2'), true)
			time.Sleep(hold)
			c.Set(key('1'), false)
			c.Set(key('2'), false)
			time.Sleep(breath)
		}
		if got := len(taken(k)); got != keyBuffer {
			t.Errorf("%d keys waited", got)
		}
		if got := len(told(k)); got != eventBuffer {
			t.Errorf("%d events waited", got)
		}
	})
}

func TestOpenMatrixErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *Matrix, c *keypadsim.Contacts)
		want   string
		is     error
	}{
		{"a pin in use", func(m *Matrix, c *keypadsim.Contacts) { c.Cols[2].Take(true) },
			"cannot open keypad: cannot use pin COL2: held by another program: line in use", line.ErrInUse},
		{"a row in use", func(m *Matrix, c *keypadsim.Contacts) { c.Rows[0].Take(true) },
			"cannot open keypad: cannot use pin ROW0: held by another program: line in use", line.ErrInUse},
		{"a chip that is gone", func(m *Matrix, c *keypadsim.Contacts) { c.Lose(true) },
			"cannot open keypad: cannot use pin COL0: its chip is gone: line lost", line.ErrLost},
		{"a pin twice", func(m *Matrix, c *keypadsim.Contacts) { m.Rows[1] = m.Cols[1] },
			"cannot open keypad: cannot use pin COL1: it is already used as COL1", nil},
		{"no pins", func(m *Matrix, c *keypadsim.Contacts) { m.Rows = nil },
			"cannot open keypad: 0 rows of 4 keys: want 1 to 32 keys", nil},
		{"a row too few", func(m *Matrix, c *keypadsim.Contacts) { m.Layout = layout4x4[:3] },
			"cannot open keypad: cannot read key map: 3 rows for 4 row pins", nil},
		{"a column too few", func(m *Matrix, c *keypadsim.Contacts) { m.Layout = layout3x4 },
			"cannot open keypad: cannot read key map: row 1 has 3 keys for 4 column pins", nil},
		{"a letter", func(m *Matrix, c *keypadsim.Contacts) { m.Layout = Layout{"123A", "456B", "789C", "*0#D"} },
			"cannot open keypad: cannot read key map: row 1: 'A': a key is one of 0 to 9, *, #, L, R and V", nil},
		{"a digit twice", func(m *Matrix, c *keypadsim.Contacts) { m.Layout = Layout{"1231", "456 ", "789 ", "*0# "} },
			"cannot open keypad: cannot read key map: 1 is there 2 times", nil},
		{"digits missing", func(m *Matrix, c *keypadsim.Contacts) { m.Layout = Layout{"123 ", "45  ", "789 ", "*0  "} },
			"cannot open keypad: cannot read key map: no key for 6 #", nil},
		{"a negative time", func(m *Matrix, c *keypadsim.Contacts) { m.Poll = -1 },
			"cannot open keypad: a time is negative", nil},
	} {
		c := newContacts(4, 4)
		m := matrixOf(c, layout4x4)
		tt.change(&m, c)
		k, err := OpenMatrix(m)
		if err == nil {
			k.Close()
		}
		if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
	}
}

// The usual keypads. The letters of a 4×4 keypad are A to D from the top; A is the
// language key, and the others do nothing.
var (
	layout3x4 = Layout{"123", "456", "789", "*0#"}
	layout4x4 = Layout{"123L", "456 ", "789 ", "*0# "}
)
