//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/feed"
	"smartkiosk/kiosk/journal"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/store"
)

// kept is an outbox with events as a kiosk writes them, and the keys to verify them.
type kept struct {
	dir, outbox, socket string
	keys                []string // arguments of verify
	store               *store.Store
}

func newKept(t testing.TB, events int) kept {
	t.Helper()
	k := kept{dir: t.TempDir()}
	k.outbox, k.socket = filepath.Join(k.dir, "outbox.db"), filepath.Join(k.dir, "kioskd.sock")
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(k.dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	device, hub, later := newKey(), newKey(), newKey()
	var seals []string
	for i, key := range []*ecdsa.PrivateKey{hub, later} {
		text, err := json.Marshal(jose.JSONWebKey{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		seals = append(seals, write([]string{"seal.jwk", "later.jwk"}[i], text))
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &device.PublicKey, device)
	if err != nil {
		t.Fatal(err)
	}
	certificate := write("kiosk.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	k.keys = []string{"--seal", strings.Join(seals, ","), "--certificate", certificate}

	if k.store, err = store.Open(k.outbox, store.Options{Keep: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.store.Close() })
	sealer := func(to *ecdsa.PrivateKey) *event.Sealer {
		s, err := event.NewSealer("k1", device, &jose.JSONWebKey{Key: &to.PublicKey})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	j := journal.Journal{Sealer: sealer(hub), Outbox: k.store, Clocks: journal.Clocks{
		Now: time.Now, BootID: "boot", Uptime: func() time.Duration { return 0 }, Trusted: func() bool { return true },
	}}
	for i := range events {
		if i == 0 {
			continue // the first visit also begins the epoch
		}
		if i == events/2 {
			j.Reseal(sealer(later)) // while earlier events are queued
		}
		if err := j.Write(t.Context(), kiosk.Record{Visit: "v", Outcome: kiosk.Granted}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.store.Ack(uint64(min(events, 130))); err != nil {
		t.Fatal(err)
	}

	l, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: feed.Local(k.store, slog.New(slog.DiscardHandler))}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return k
}

// kioskctl runs a command and returns its output.
func kioskctl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := program{stdout: &out}.run(t.Context(), args)
	return out.String(), err
}

// TestEventsOfEverySource checks that a running kiosk, a copy of its file and an export
// show the same events, also when the sealing key was changed in between.
func TestEventsOfEverySource(t *testing.T) {
	k := newKept(t, 250)
	file, err := os.ReadFile(k.outbox)
	if err != nil {
		t.Fatal(err)
	}
	copied, exported := filepath.Join(k.dir, "copy.db"), filepath.Join(k.dir, "events.json")
	if err := os.WriteFile(copied, file, 0o400); err != nil {
		t.Fatal(err)
	}
	var exports []string
	for _, from := range []string{k.socket, copied} {
		list, err := kioskctl(t, "events", "list", "--from", from)
		lines := strings.Split(strings.TrimSpace(list), "\n")
		if err != nil || len(lines) != 251 {
			t.Fatalf("%s: %d lines, %v", from, len(lines), err)
		}
		if !strings.Contains(lines[2], "  2 ") || !strings.HasSuffix(lines[2], "has it") ||
			!strings.Contains(lines[250], "  250 ") || !strings.HasSuffix(lines[250], "waits") || !strings.Contains(lines[250], event.TypeVisit) {
			t.Errorf("%s lists\n%s\n%s", from, lines[2], lines[250])
		}
		text, err := kioskctl(t, "events", "export", "--from", from)
		if err != nil {
			t.Fatal(err)
		}
		exports = append(exports, text)
	}
	if exports[0] != exports[1] {
		t.Error("the copy is not what the live kiosk has")
	}
	if err := os.WriteFile(exported, []byte(exports[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{k.socket, copied, exported} {
		for _, keys := range [][]string{nil, k.keys} {
			out, err := kioskctl(t, append([]string{"events", "verify", "--from", from}, keys...)...)
			if err != nil || !strings.HasPrefix(out, "250 events, 1 to 250: ") || strings.Contains(out, "Only accidents") != (keys == nil) {
				t.Errorf("%s with %d keys: %q, %v", from, len(keys)/2, out, err)
			}
		}
	}
}

// TestVerifyFindsEveryFault checks that verify names each manipulation and the events
// concerned.
func TestVerifyFindsEveryFault(t *testing.T) {
	k := newKept(t, 6)
	text, err := kioskctl(t, "events", "export", "--from", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	var events []json.RawMessage
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		change  func(e []json.RawMessage) []json.RawMessage
		without string // the fault that is found without keys, "" for none
		with    string
	}{
		{"missing", func(e []json.RawMessage) []json.RawMessage { return slices.Delete(e, 2, 4) },
			"events 3 to 4: event is missing\n", "events 3 to 4: event is missing\n"},
		{"repeated", func(e []json.RawMessage) []json.RawMessage { return slices.Insert(e, 3, e[2]) },
			"event 3: event occurs again\n", "event 3: event occurs again\n"},
		{"reordered", func(e []json.RawMessage) []json.RawMessage { e[2], e[3] = e[3], e[2]; return e },
			"event 3: event is missing\nevent 3: event comes after a later one\n", "event 3: event comes after a later one\n"},
		{"altered", func(e []json.RawMessage) []json.RawMessage {
			e[2] = bytes.Replace(e[2], []byte(`"clocktrusted":true`), []byte(`"clocktrusted":false`), 1)
			return e
		}, "", "event 3: cannot open event: event's attributes differ from the signed ones\n"},
		{"garbled", func(e []json.RawMessage) []json.RawMessage { e[2] = json.RawMessage(`{}`); return e },
			"event 0: cannot read event: malformed event: id is missing\n", "event 0: "},
	} {
		path := filepath.Join(k.dir, "events.json")
		changed, err := json.Marshal(tt.change(slices.Clone(events)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		for want, keys := range map[string][]string{tt.without: nil, tt.with: k.keys} {
			if tt.without == tt.with {
				keys = k.keys
			}
			out, err := kioskctl(t, append([]string{"events", "verify", "--from", path}, keys...)...)
			if errors.Is(err, errFaults) != (want != "") || !strings.HasPrefix(out, want) || strings.Contains(out, "Only accidents") != (keys == nil) {
				t.Errorf("%s, %d keys: %q, %v, want %q", tt.name, len(keys)/2, out, err, want)
			}
		}
	}
}

// TestVerifyOfADamagedFile checks that verify names the unreadable events of a damaged
// file.
func TestVerifyOfADamagedFile(t *testing.T) {
	k := newKept(t, 6)
	records, err := k.store.Records(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(k.outbox)
	if err != nil {
		t.Fatal(err)
	}
	for at := bytes.Index(file, records[0].Data); at >= 0; at = bytes.Index(file, records[0].Data) {
		file[at]++
	}
	path := filepath.Join(k.dir, "damaged.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := kioskctl(t, append([]string{"events", "verify", "--from", path}, k.keys...)...)
	if !errors.Is(err, errFaults) || !strings.Contains(out, "event 4: event is missing") || !strings.Contains(out, "file is damaged: record 4") {
		t.Errorf("verify says %q, %v", out, err)
	}
}

func TestEventsRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"list, verify, export":    {"events"},
		`unknown command "drop"`:  {"events", "drop", "--from", path + "y"},
		"no such file":            {"events", "list", "--from", path + "y"},
		"must be given together":  {"events", "verify", "--from", path, "--seal", path},
		"it is not a JSON object": {"events", "verify", "--from", path, "--seal", path, "--certificate", path},
		"its tail cannot be read": {"events", "export", "--from", path},
	} {
		if _, err := kioskctl(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
