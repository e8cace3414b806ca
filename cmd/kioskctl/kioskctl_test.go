//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/cue"
	"smartkiosk/device/reader"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// inNamespaces runs the tests where they can start a pcscd of their own.
type inNamespaces struct{ m *testing.M }

func (n inNamespaces) Run() int { return pcsctest.Run(n.m) }

// TestMain also makes the test binary work as the guardian of a door strike and as
// the programs that the scripts run.
func TestMain(m *testing.M) {
	cue.Guard(openFIFOPin)
	testscript.Main(inNamespaces{m}, map[string]func(){"kioskctl": main, "kioskctl-on-pi": mainOnPi})
}

const origin = "https://hub.example:8443"

var nonce = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

func newPKI(t *testing.T) *testpki.PKI {
	t.Helper()
	p, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bench is a program with a software slot.
type bench struct {
	program
	slot           *cardsim.Slot
	stdout, stderr bytes.Buffer
}

func newBench(card *cardsim.Card, stdin string) *bench {
	b := &bench{slot: cardsim.NewSlot("Software slot")}
	if card != nil {
		b.slot.Insert(card)
	}
	b.program = program{slot: b.slot, patience: time.Minute, stdin: strings.NewReader(stdin), stdout: &b.stdout, stderr: &b.stderr}
	return b
}

func tokenArgs(pinFile string) []string {
	return []string{"token", "--origin", origin, "--nonce", nonce, "--pin-file", pinFile}
}

// validate checks a token as a hub would.
func validate(t *testing.T, p *testpki.PKI, token []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := p.Write(dir); err != nil {
		t.Fatal(err)
	}
	domains, err := trust.Load(filepath.Join(dir, "trust.toml"))
	if err != nil {
		t.Fatal(err)
	}
	v := webeid.Validator{Origin: origin, Domains: domains}
	if _, err := v.Validate(t.Context(), bytes.TrimSpace(token), nonce, time.Now()); err != nil {
		t.Errorf("%v: %s", err, token)
	}
}

// TestTokenThroughPCSC makes a token with the PIN from a file, a real pcscd, and a card
// that is inserted only when the program asks for it.
func TestTokenThroughPCSC(t *testing.T) {
	d := pcsctest.Start(t)
	p := newPKI(t)
	pinFile := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pinFile, []byte("1234\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	asked := make(said, 8)
	ctl := program{
		slot: reader.New("", slog.New(slog.DiscardHandler)), patience: time.Minute,
		stdout: &out, stderr: asked,
	}
	done := make(chan error, 1)
	go func() { done <- ctl.run(t.Context(), tokenArgs(pinFile)) }()
	for text := range asked {
		if strings.Contains(text, "Put the card in.") {
			break
		}
	}
	d.Insert(t, p.Cards["valid"])
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	validate(t, p, out.Bytes())
}

// said is a writer that passes each text on.
type said chan string

func (s said) Write(b []byte) (int, error) {
	s <- string(b)
	return len(b), nil
}

func TestTokenPINFromStandardInput(t *testing.T) {
	p := newPKI(t)
	for _, input := range []string{"1234\n", "1234", "1234\r\nanother line"} {
		b := newBench(p.Cards["valid"], input)
		if err := b.run(t.Context(), tokenArgs("-")); err != nil {
			t.Errorf("%q: %v", input, err)
			continue
		}
		validate(t, p, b.stdout.Bytes())
	}
}

// TestTokenRefused checks that each failure prints a useful error, prints nothing on
// standard output, and spends no PIN try that the holder did not make.
func TestTokenRefused(t *testing.T) {
	p := newPKI(t)
	for _, c := range []struct {
		name, card, pin, want string
		tries                 int
	}{
		{"wrong PIN", "valid", "0000\n", "wrong PIN, 2 tries left", 2},
		{"PIN too short", "expired", "12\n", "PIN has the wrong form", 3},
		{"PIN not digits", "expired", "12a4\n", "PIN has the wrong form", 3},
		{"PIN blocked", "blocked", "1234\n", "PIN blocked", 0},
		{"no PIN", "expired", "\n", "has no PIN", 3},
		{"far too long", "expired", strings.Repeat("1", 100), "has no PIN", 3},
		{"no certificate to authenticate with", "sign-only", "1234\n", "none of the card's 1 certificates is for authentication", 3},
		{"mute card", "mute", "1234\n", "right way round", 3},
	} {
		b := newBench(p.Cards[c.card], c.pin)
		err := b.run(t.Context(), tokenArgs("-"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if b.stdout.Len() > 0 {
			t.Errorf("%s: printed %s", c.name, b.stdout.String())
		}
		if left := p.Cards[c.card].Image().PINs["pin"].Left; left != c.tries {
			t.Errorf("%s: %d tries left, want %d", c.name, left, c.tries)
		}
	}
}

func TestNoCard(t *testing.T) {
	b := newBench(nil, "")
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(said, 1)
	b.program.stderr = asked
	done := make(chan error, 1)
	go func() { done <- b.run(ctx, []string{"card"}) }()
	<-asked
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no card in the reader") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{
		"", "eject", "card extra", "card --pin 1", "token", "token --origin " + origin, "token --pin-file - --nonce x --origin o extra",
	} {
		b := newBench(nil, "")
		if err := b.run(t.Context(), strings.Fields(args)); !errors.Is(err, cli.ErrUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	b := newBench(nil, "")
	if err := b.run(t.Context(), []string{"--help"}); err != nil || !strings.Contains(b.stdout.String(), "\n  token ") {
		t.Errorf("help: %v", err)
	}
}
