package keypad

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
)

// The output of a C program that fills in struct input_event by field name:
// KEY_KP5 goes down, a report, KEY_KPENTER with the value -2.
const (
	golden64 = "44332211000000006756050000000000" + "01004c0001000000" +
		"44332211000000006756050000000000" + "0000000000000000" +
		"44332211000000006756050000000000" + "01006000feffffff"
	golden32 = "4433221167560500" + "01004c0001000000" +
		"4433221167560500" + "0000000000000000" +
		"4433221167560500" + "01006000feffffff"
)

var goldenEvents = []inputEvent{{evKey, 76, 1}, {evSyn, synReport, 0}, {evKey, 96, -2}}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeEvents(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		size     int
		want     []inputEvent
		rest     int
	}{
		{"64 bits", golden64, 24, goldenEvents, 0},
		{"32 bits", golden32, 16, goldenEvents, 0},
		{"nothing", "", 24, nil, 0},
		{"a byte short", golden64[:46], 24, nil, 23},
		{"one and a piece", golden64[:50], 24, goldenEvents[:1], 1},
		{"a 32-bit event for a 64-bit program", golden32[:32], 24, nil, 16},
	} {
		events, rest := decodeEvents(unhex(t, tt.in), tt.size)
		if !slices.Equal(events, tt.want) || len(rest) != tt.rest {
			t.Errorf("%s: %v and %d bytes left, want %v and %d", tt.name, events, len(rest), tt.want, tt.rest)
		}
	}
}

// decodeEvents must allocate all events at once. If append grew the slice, the
// old arrays would not be cleared.
func TestDecodeEventsInOnePiece(t *testing.T) {
	in := bytes.Repeat(unhex(t, golden64), 20)
	if n := testing.AllocsPerRun(10, func() { decodeEvents(in, 24) }); n > 1 {
		t.Errorf("%v pieces of memory had keys in them", n)
	}
}

func FuzzDecodeEvents(f *testing.F) {
	f.Add(unhex(f, golden64), true)
	f.Add(unhex(f, golden32), false)
	f.Add([]byte{1}, true)
	f.Fuzz(func(t *testing.T, in []byte, wide bool) {
		size := 16
		if wide {
			size = 24
		}
		events, rest := decodeEvents(in, size)
		if len(events)*size+len(rest) != len(in) || len(rest) >= size {
			t.Fatalf("%d bytes gave %d events and %d bytes", len(in), len(events), len(rest))
		}
		for i, e := range events {
			if !bytes.Equal(in[(i+1)*size-8:(i+1)*size], e.bytes()) {
				t.Fatalf("event %d is %+v", i, e)
			}
		}
	})
}

// FuzzPad sends a pad any stream of events. Only keys of its map may come out,
// and each at most as often as it went down.
func FuzzPad(f *testing.F) {
	f.Add(unhex(f, golden64))
	f.Add(append(inputEvent{evSyn, synDropped, 0}.whole(), unhex(f, golden64)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		k := &Keypad{keys: make(chan rune, 3*len(in)+1), events: make(chan Event, 16)}
		p := &pad{file: newFakePad("x"), codes: DefaultCodes(), chord: newChord()}
		if err := p.seize(); err != nil {
			t.Fatal(err)
		}
		events, _ := decodeEvents(in, eventSize)
		presses := 0
		for _, e := range events {
			if e.kind == evKey && e.value != 2 {
				presses++
			}
			if err := p.handle(e, k); err != nil {
				t.Fatal(err)
			}
		}
		if len(k.keys) > 3*presses { // one key may be 000
			t.Fatalf("%d keys of %d presses and releases", len(k.keys), presses)
		}
		for len(k.keys) > 0 {
			if key := <-k.keys; !validKey(key) {
				t.Fatalf("%q is no key", key)
			}
		}
	})
}

// bytes returns the end of a struct input_event, as the kernel writes it.
func (e inputEvent) bytes() []byte {
	b := binary.NativeEndian.AppendUint16(nil, e.kind)
	b = binary.NativeEndian.AppendUint16(b, e.code)
	return binary.NativeEndian.AppendUint32(b, uint32(e.value))
}

// whole returns the whole struct input_event, with a zero time.
func (e inputEvent) whole() []byte {
	return append(make([]byte, eventSize-8), e.bytes()...)
}
