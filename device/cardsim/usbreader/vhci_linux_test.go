//go:build vhci

// These tests use the reader with a real kernel with vhci_hcd, udev, libusb, libccid
// and pcscd, and with device/reader and device/smartkort. They need root and a machine
// without other readers, such as the one of deploy/bench/machine:
//
//	go test -c -tags vhci -o bin/usbreader.test ./device/cardsim/usbreader
//	machine … bin/usbreader.test -test.v -test.run VHCI
package usbreader_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// patience is longer than everything that succeeds, and longer than libccid waits for
// a stalled reader.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if err := startPCSC(); err != nil {
		fmt.Println("cannot start services:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var pcscdLog lockedBuffer

// startPCSC starts the services that Debian starts for a reader.
func startPCSC() error {
	for _, dir := range []string{"/run/udev", "/run/pcscd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if out, err := exec.Command("/lib/systemd/systemd-udevd", "--daemon").CombinedOutput(); err != nil {
		return fmt.Errorf("udevd: %w: %s", err, out)
	}
	ready := make(chan struct{})
	pcscdLog.watch = func(s string) bool {
		if strings.Contains(s, "daemon ready") {
			close(ready)
			return true
		}
		return false
	}
	pcscd := exec.Command("/usr/sbin/pcscd", "--foreground", "--debug")
	pcscd.Stdout, pcscd.Stderr = &pcscdLog, &pcscdLog
	if err := pcscd.Start(); err != nil {
		return err
	}
	select {
	case <-ready:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("pcscd is not ready: %s", pcscdLog.take())
	}
}

// lockedBuffer collects a program's output.
type lockedBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	watch func(string) (done bool)
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if b.watch != nil && b.watch(b.text.String()) {
		b.watch = nil
	}
	return len(p), nil
}

// take returns the output since the last call.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// bench is an attached reader and the slot that kioskd uses.
type bench struct {
	t      *testing.T
	usb    *usbreader.Reader
	pcsc   *reader.Reader
	events <-chan slot.Event
	unplug func() error
}

func newBench(t *testing.T, c usbreader.Config) *bench {
	t.Helper()
	pcscdLog.take()
	b := &bench{t: t, usb: usbreader.New(c), pcsc: reader.New("", slog.New(slog.DiscardHandler))}
	ctx, cancel := context.WithCancel(context.Background())
	b.events = b.pcsc.Watch(ctx)
	b.await(slot.NoReader)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(pcscdLog.take())
		}
		b.unplug()
		b.await(slot.NoReader)
		cancel()
	})
	b.plug()
	return b
}

func (b *bench) plug() {
	b.t.Helper()
	var err error
	if b.unplug, err = b.usb.Attach(); err != nil {
		b.unplug = func() error { return nil }
		b.t.Fatal(err)
	}
}

// await reads events until the slot has this state.
func (b *bench) await(want slot.State) slot.Event {
	b.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-b.events:
			if e.State == want {
				return e
			}
			b.t.Logf("%v", e.State)
		case <-limit:
			b.t.Fatalf("never %v", want)
		}
	}
}

func (b *bench) connect() slot.Conn {
	b.t.Helper()
	conn, err := b.pcsc.Connect(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// sign inserts a card and makes it sign.
func (b *bench) sign(name, pin string) error {
	b.t.Helper()
	b.usb.Insert(card(b.t, name))
	b.await(slot.Present)
	conn := b.connect()
	defer conn.Close()
	return sign(b.t.Context(), conn, pin)
}

func TestVHCIListed(t *testing.T) {
	for want, model := range map[string]usbreader.Model{
		"Gemalto PC Twin Reader (software) 00 00":        usbreader.Twin,
		"SCM Microsystems Inc. SPR 532 (software) 00 00": usbreader.SPR532,
	} {
		t.Run(want, func(t *testing.T) {
			b := newBench(t, usbreader.Config{Model: model})
			if e := b.await(slot.Empty); e.Reader != want {
				t.Errorf("listed as %q", e.Reader)
			}
			b.unplug()
			b.await(slot.NoReader)
			b.plug()
			b.await(slot.Empty)
		})
	}
}

// models runs a test with each make.
func models(t *testing.T, test func(*testing.T, usbreader.Model)) {
	for name, model := range map[string]usbreader.Model{"Twin": usbreader.Twin, "SPR532": usbreader.SPR532} {
		t.Run(name, func(t *testing.T) { test(t, model) })
	}
}

// TestVHCICards inserts and removes each kind of card.
func TestVHCICards(t *testing.T) {
	models(t, func(t *testing.T, model usbreader.Model) {
		b := newBench(t, usbreader.Config{Model: model})
		b.await(slot.Empty)
		for _, name := range []string{"valid", "t1", "two-pin", "mute", "valid"} {
			inserted, want := card(t, name), slot.Present
			if inserted.ATR() == nil {
				want = slot.Mute
			}
			start := time.Now()
			b.usb.Insert(inserted)
			if e := b.await(want); !bytes.Equal(e.ATR, inserted.ATR()) {
				t.Errorf("%s: ATR %X", name, e.ATR)
			}
			seen := time.Now()
			b.usb.Remove()
			b.await(slot.Empty)
			t.Logf("%s: %v after %v, gone after %v", name, want, seen.Sub(start), time.Since(seen))
		}
	})
}

// TestVHCISwapped replaces a card that is in use by another one without an empty slot
// in between.
func TestVHCISwapped(t *testing.T) {
	b := newBench(t, usbreader.Config{Model: usbreader.Twin})
	b.usb.Insert(card(t, "valid"))
	b.await(slot.Present)
	conn := b.connect()
	defer conn.Close()
	b.usb.Insert(card(t, "t1"))
	b.await(slot.Empty)
	if e := b.await(slot.Present); e.ATR[1] != 0x89 {
		t.Errorf("%X", e.ATR)
	}
	if answer, err := conn.Transmit(t.Context(), []byte{0x00, 0x20, 0x00, 0x82}); err == nil {
		t.Errorf("the other card answers %X", answer)
	}
}

func TestVHCISigns(t *testing.T) {
	models(t, func(t *testing.T, model usbreader.Model) {
		b := newBench(t, usbreader.Config{Model: model})
		for _, c := range pins {
			start := time.Now()
			if err := b.sign(c.card, c.pin); err != nil {
				t.Errorf("%s: %v", c.card, err)
			}
			t.Logf("%s: inserted, read and signed in %v", c.card, time.Since(start))
			b.usb.Remove()
			b.await(slot.Empty)
		}
	})
}

// pins contains a card of each protocol.
var pins = []struct{ card, pin, wrong string }{
	{"valid", testpki.PIN, "4321"}, // T=0
	{"t1", testpki.LongPIN, "654321"},
}

// TestVHCIPulled removes a card at each of its commands.
func TestVHCIPulled(t *testing.T) {
	for _, c := range pins {
		t.Run(c.card, func(t *testing.T) {
			n, last := 0, 0
			b := newBench(t, usbreader.Config{Model: usbreader.Twin, Strike: func(c usbreader.Command) usbreader.Fault {
				if last = c.Number; last == n {
					return usbreader.Pull
				}
				return usbreader.None
			}})
			for n = 1; ; n++ {
				last = 0
				err := b.sign(c.card, c.pin)
				if err == nil {
					break
				}
				if !errors.Is(err, slot.ErrNoCard) || last != n {
					t.Errorf("pulled at %d of %d: %v", n, last, err)
				}
				b.await(slot.Empty)
			}
			t.Logf("pulled at each of %d commands", last)
		})
	}
}

func TestVHCIUnplugged(t *testing.T) {
	b := newBench(t, usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, usbreader.Unplug)})
	if err := b.sign("valid", testpki.PIN); !errors.Is(err, slot.ErrNoCard) {
		t.Error(err)
	}
	b.await(slot.NoReader)
	if err := b.unplug(); err != nil {
		t.Error(err)
	}
	start := time.Now()
	b.plug()
	b.await(slot.Present)
	t.Logf("plugged in again with a card in it: seen after %v", time.Since(start))
}

// TestVHCILine injects faults of a card and its line that the driver corrects.
func TestVHCILine(t *testing.T) {
	for _, c := range []struct {
		name, card, pin string
		fault           usbreader.Fault
		fails           bool
	}{
		{"T=1, a block damaged", "t1", testpki.LongPIN, usbreader.Damage, false},
		{"T=1, more time wanted", "t1", testpki.LongPIN, usbreader.AskTime, false},
		{"T=0, more time wanted", "valid", testpki.PIN, usbreader.AskTime, false},
		{"T=0, a byte damaged", "valid", testpki.PIN, usbreader.Damage, true},
		{"T=0, no answer", "valid", testpki.PIN, usbreader.Silence, true},
		{"T=1, no answer", "t1", testpki.LongPIN, usbreader.Silence, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, c.fault)})
			start := time.Now()
			err := b.sign(c.card, c.pin)
			t.Logf("%v: %v", time.Since(start), err)
			if (err != nil) != c.fails {
				t.Error(err)
			}
		})
	}
}

func TestVHCIStall(t *testing.T) {
	b := newBench(t, usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, usbreader.Stall)})
	start := time.Now()
	err := b.sign("valid", testpki.PIN)
	if err == nil {
		t.Error("a reader that hangs answered")
	}
	t.Logf("%v: %v", time.Since(start), err)
	b.unplug()
	b.await(slot.NoReader)
	b.plug()
	b.await(slot.Present)
}

// TestVHCIPINPad types the PIN on the reader's keys.
func TestVHCIPINPad(t *testing.T) {
	var keypad usbreader.Keypad
	b := newBench(t, usbreader.Config{Model: usbreader.SPR532, Keypad: func(ctx context.Context) ([]byte, error) { return keypad(ctx) }})
	for _, c := range pins {
		b.usb.Insert(card(t, c.card))
		b.await(slot.Present)
		conn := b.connect()
		k, err := smartkort.Driver{}.Open(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		if !k.HasPINPad() {
			t.Fatal("no keys")
		}
		certificate := authentication(t, k)
		wrong := &smartkort.PINError{}
		for _, step := range []struct {
			name   string
			keypad usbreader.Keypad
			check  func(error) bool
		}{
			{"cancelled", says(slot.ErrPadCancelled), func(err error) bool { return errors.Is(err, slot.ErrPadCancelled) }},
			{"nothing typed", says(slot.ErrPadTimeout), func(err error) bool { return errors.Is(err, slot.ErrPadTimeout) }},
			{"wrong", types(c.wrong), func(err error) bool { return errors.As(err, &wrong) && wrong.Tries == 2 }},
			{"cancelled again", says(slot.ErrPadCancelled), func(err error) bool { return errors.Is(err, slot.ErrPadCancelled) }},
			{"right", types(c.pin), func(err error) bool { return err == nil }},
		} {
			keypad = step.keypad
			if err := k.VerifyPINOnPad(t.Context(), certificate); !step.check(err) {
				t.Errorf("%s, %s: %v", c.card, step.name, err)
			} else {
				t.Logf("%s, %s: %v", c.card, step.name, err)
			}
		}
		if tries, known, err := k.PINTries(t.Context(), certificate); err != nil {
			t.Errorf("%s: %d tries left, %v, %v", c.card, tries, known, err)
		}
		keypad = func(ctx context.Context) ([]byte, error) {
			b.usb.Remove()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if err := k.VerifyPINOnPad(t.Context(), certificate); !errors.Is(err, slot.ErrNoCard) {
			t.Errorf("%s, pulled while the holder types: %v", c.card, err)
		}
		conn.Close()
		b.await(slot.Empty)
	}
}

// authentication returns a card's authentication certificate.
func authentication(t *testing.T, k *smartkort.Card) smartkort.Certificate {
	t.Helper()
	all, err := k.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c smartkort.Certificate) bool {
		x, err := x509.ParseCertificate(c.DER)
		return err == nil && x.KeyUsage&x509.KeyUsageDigitalSignature != 0
	})
	if i < 0 {
		t.Fatalf("none of %d", len(all))
	}
	return all[i]
}
