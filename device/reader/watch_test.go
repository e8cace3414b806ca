package reader

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ebfe/scard"

	"smartkiosk/device/slot"
)

// TestLook feeds a sequence of pcscd's reader states and compares the slot's events.
func TestLook(t *testing.T) {
	const (
		empty   = scard.StateEmpty
		present = scard.StatePresent
		inUse   = scard.StatePresent | scard.StateExclusive
		mute    = scard.StatePresent | scard.StateMute
	)
	type readers map[string]scard.StateFlag // state and, in the upper 16 bits, the event counter
	for _, c := range []struct {
		name  string
		looks []readers
		want  []slot.State
	}{
		{"in and out", []readers{{"A": empty}, {"A": present | 1<<16}, {"A": empty | 2<<16}},
			[]slot.State{slot.Empty, slot.Present, slot.Empty}},
		{"claimed and let go is no change", []readers{{"A": present | 1<<16}, {"A": inUse | 1<<16}, {"A": present | 1<<16}},
			[]slot.State{slot.Present}},
		{"swapped between two looks", []readers{{"A": present | 1<<16}, {"A": present | 3<<16}},
			[]slot.State{slot.Present, slot.Present}},
		{"in and out between two looks", []readers{{"A": empty}, {"A": empty | 2<<16}},
			[]slot.State{slot.Empty}},
		{"mute, turned round", []readers{{"A": mute | 1<<16}, {"A": empty | 2<<16}, {"A": present | 3<<16}},
			[]slot.State{slot.Mute, slot.Empty, slot.Present}},
		{"reader unplugged with the card", []readers{{"A": present | 1<<16}, {}},
			[]slot.State{slot.Present, slot.NoReader}},
		{"reader in a bad state", []readers{{"A": present | 1<<16}, {"A": scard.StateUnavailable}},
			[]slot.State{slot.Present, slot.NoReader}},
		{"a card in the second reader", []readers{{"A": empty, "B": empty}, {"A": empty, "B": present | 1<<16}},
			[]slot.State{slot.Empty, slot.Present}},
		{"the first card stays the slot's", []readers{{"A": empty, "B": present | 1<<16}, {"A": present | 1<<16, "B": present | 1<<16}},
			[]slot.State{slot.Present}},
		{"and the other follows it", []readers{{"A": present | 1<<16, "B": present | 1<<16}, {"A": empty | 2<<16, "B": present | 1<<16}},
			[]slot.State{slot.Present, slot.Present}},
		{"a mute card gives way to a card that answers", []readers{{"A": empty, "B": mute | 1<<16}, {"A": present | 1<<16, "B": mute | 1<<16}},
			[]slot.State{slot.Mute, slot.Present}},
		{"wherever the card that answers is", []readers{{"A": mute | 1<<16, "B": empty}, {"A": mute | 1<<16, "B": present | 1<<16}},
			[]slot.State{slot.Mute, slot.Present}},
		{"and does not come back after it", []readers{{"A": mute | 1<<16, "B": empty}, {"A": mute | 1<<16, "B": present | 1<<16}, {"A": mute | 1<<16, "B": empty | 2<<16}, {"A": mute | 1<<16, "B": present | 3<<16}},
			[]slot.State{slot.Mute, slot.Present, slot.Empty, slot.Present}},
		{"unless it was inserted again", []readers{{"A": mute | 1<<16, "B": empty}, {"A": mute | 1<<16, "B": present | 1<<16}, {"A": mute | 3<<16, "B": empty | 2<<16}},
			[]slot.State{slot.Mute, slot.Present, slot.Mute}},
		{"a mute card does not replace a card that answers", []readers{{"A": empty, "B": present | 1<<16}, {"A": mute | 1<<16, "B": present | 1<<16}},
			[]slot.State{slot.Present}},
		{"a reader returns under another name", []readers{{"A": empty}, {}, {"B": empty}, {"B": present | 1<<16}},
			[]slot.State{slot.Empty, slot.NoReader, slot.Empty, slot.Present}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []slot.State
			w := watch{Reader: New("", slog.New(slog.DiscardHandler)), emit: func(e slot.Event) { got = append(got, e.State) }}
			for _, look := range c.looks {
				w.known = map[string]scard.ReaderState{}
				var names []string
				for _, name := range []string{"A", "B"} {
					if state, ok := look[name]; ok {
						names = append(names, name)
						w.known[name] = scard.ReaderState{EventState: state}
					}
				}
				w.update(names)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestLookAtReaderThatIsUnplugged: when a reader is unplugged, pcscd reports first that
// the card is gone and later that the reader is. Watch distinguishes that from a card
// that was removed.
func TestLookAtReaderThatIsUnplugged(t *testing.T) {
	for _, c := range []struct {
		name      string
		connected bool // to the card that goes
		pulled    bool
		want      []slot.State
	}{
		{"unplugged", true, true, []slot.State{slot.Present, slot.Empty, slot.Present, slot.NoReader}},
		{"the card taken out", true, false, []slot.State{slot.Present, slot.Empty, slot.Present, slot.Empty, slot.NoReader}},
		{"a device that was not connected to", false, true, []slot.State{slot.Present, slot.Empty, slot.Present, slot.Empty, slot.NoReader}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []slot.State
			w := watch{Reader: New("", slog.New(slog.DiscardHandler)), emit: func(e slot.Event) { got = append(got, e.State) }}
			look := func(names []string, state scard.StateFlag) {
				w.known = map[string]scard.ReaderState{"A": {EventState: state}}
				w.update(names)
			}
			device := filepath.Join(t.TempDir(), "002")
			if err := os.WriteFile(device, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			a := []string{"A"}
			look(a, scard.StatePresent|1<<16)
			w.setDevice("A", device)
			look(a, scard.StateEmpty|2<<16)
			look(a, scard.StatePresent|3<<16)
			if c.connected {
				w.setDevice("A", device)
			}
			w.setDevice("B", "/nowhere")
			if c.pulled {
				if err := os.Remove(device); err != nil {
					t.Fatal(err)
				}
			}
			look(a, scard.StateEmpty|4<<16)
			look(nil, 0)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestUSBFile(t *testing.T) {
	channel := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	for _, c := range []struct {
		channel []byte
		want    string
	}{
		{channel(0x0020_0102), "/dev/bus/usb/001/002"},
		{channel(0x0020_0c7f), "/dev/bus/usb/012/127"},
		{channel(0x0001_0102), ""}, // a serial port
		{channel(0x0020_0102)[:3], ""},
		{nil, ""},
	} {
		if got := usbFile(c.channel); got != c.want {
			t.Errorf("% x: %q, want %q", c.channel, got, c.want)
		}
	}
}

// TestSlowReceiver: past states are left out, but not a change of cards.
func TestSlowReceiver(t *testing.T) {
	none := slot.Event{State: slot.NoReader, Err: errors.New("no service")}
	other := slot.Event{State: slot.NoReader, Err: &slot.NoMatchError{Match: "A", Readers: []string{"B"}}}
	empty := slot.Event{State: slot.Empty, Reader: "A"}
	card := slot.Event{State: slot.Present, Reader: "A", ATR: []byte{0x3B, 0x00}}
	mute := slot.Event{State: slot.Mute, Reader: "A"}
	for _, c := range []struct {
		name   string
		taken  slot.Event
		passed []slot.Event
		want   []slot.Event
	}{
		{"card gone again", empty, []slot.Event{card, empty}, nil},
		{"swapped", card, []slot.Event{empty, card}, []slot.Event{empty, card}},
		{"swapped in one look", card, []slot.Event{card}, []slot.Event{empty, card}},
		{"swapped twice", card, []slot.Event{empty, card, empty, mute}, []slot.Event{empty, mute}},
		{"service down, and back with a card", empty, []slot.Event{none, empty, card}, []slot.Event{card}},
		{"service down for long", none, []slot.Event{none, none}, nil},
		{"another reader that does not match", none, []slot.Event{other}, []slot.Event{other}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, events := make(chan slot.Event), make(chan slot.Event)
			go deliver(seen, events)
			seen <- c.taken
			<-events
			for _, e := range c.passed {
				seen <- e
			}
			var got []slot.Event
			for range c.want {
				got = append(got, <-events)
			}
			close(seen)
			for e := range events {
				t.Errorf("also got %v", e)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
