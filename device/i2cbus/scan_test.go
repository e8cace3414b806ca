package i2cbus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"periph.io/x/conn/v3/physic"
)

// fakeBus has parts at some addresses and records how each address was probed.
type fakeBus struct {
	parts   []uint16
	noQuick bool  // it cannot send an address alone
	fault   error // the error of the bus at address 0x20
	written []uint16
	read    []uint16
}

func (b *fakeBus) String() string                  { return "fake" }
func (b *fakeBus) SetSpeed(physic.Frequency) error { return nil }

func (b *fakeBus) Tx(address uint16, w, r []byte) error {
	switch {
	case len(w) > 0 || len(r) > 1:
		return fmt.Errorf("%d bytes written, %d read", len(w), len(r))
	case len(r) == 0 && b.noQuick:
		return errors.ErrUnsupported
	case len(r) == 0:
		b.written = append(b.written, address)
	default:
		b.read = append(b.read, address)
	}
	if address == 0x20 && b.fault != nil {
		return b.fault
	}
	if !slices.Contains(b.parts, address) {
		return ErrNoAnswer
	}
	return nil
}

func TestAsk(t *testing.T) {
	b := &fakeBus{parts: []uint16{0x27}}
	if err := Ask(b, 0x27); err != nil {
		t.Error(err)
	}
	if err := Ask(b, 0x26); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
}

func TestScan(t *testing.T) {
	b := &fakeBus{parts: []uint16{0x03, 0x08, 0x27, 0x3c, 0x50, 0x68, 0x77, 0x78}}
	found, err := Scan(t.Context(), b, map[uint16]string{0x68: "rtc-ds1307"})
	if want := []uint16{0x08, 0x27, 0x3c, 0x50, 0x77}; err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%#x, %v; want %#x", found, err, want)
	}
	if slices.Contains(b.written, 0x68) || slices.Contains(b.read, 0x68) {
		t.Error("asked an address that the kernel holds")
	}
	if len(b.written)+len(b.read) != 0x77-0x08+1-1 {
		t.Errorf("%d addresses asked", len(b.written)+len(b.read))
	}
}

// TestMemoryIsNotWrittenTo checks that Scan sends no write without data to
// memory: it would write-protect a memory module for ever and damage an AT24RF08.
func TestMemoryIsNotWrittenTo(t *testing.T) {
	b := &fakeBus{}
	if _, err := Scan(t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range b.written {
		if a >= 0x30 && a <= 0x37 || a >= 0x50 && a <= 0x5f {
			t.Errorf("wrote to %#x", a)
		}
	}
	for _, a := range b.read {
		if a < 0x30 || a > 0x37 && a < 0x50 || a > 0x5f {
			t.Errorf("read from %#x", a)
		}
	}
}

func TestScanWithoutQuickCommand(t *testing.T) {
	b := &fakeBus{parts: []uint16{0x27}, noQuick: true}
	found, err := Scan(t.Context(), b, nil)
	if err != nil || !slices.Equal(found, []uint16{0x27}) {
		t.Errorf("%#x, %v", found, err)
	}
}

func TestScanEnds(t *testing.T) {
	for _, fault := range []error{ErrStuck, ErrNotI2C} {
		b := &fakeBus{fault: fmt.Errorf("bus: %w", fault)}
		if _, err := Scan(t.Context(), b, nil); !errors.Is(err, fault) {
			t.Errorf("%v", err)
		}
		if n := len(b.written); n != 0x20-0x08+1 {
			t.Errorf("%d addresses asked on a bus that does not work", n)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Scan(ended, &fakeBus{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
