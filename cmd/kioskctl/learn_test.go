//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/smartkort"
)

// TestLearn learns a card, prints a profile that can be loaded, and keeps no PIN.
func TestLearn(t *testing.T) {
	dir := t.TempDir()
	b := newBench(newKinds(t)[cardsim.OsEID].Card, "1234\n")
	if err := b.run(t.Context(), []string{"card", "learn", "--name", "tried", "--script", filepath.Join(dir, "script.txt")}); err != nil {
		t.Fatal(err)
	}
	p, err := smartkort.ParseProfile(b.stdout.Bytes())
	if err != nil || p.Name != "tried" || len(p.Sign) != 1 || p.Sign[0].Recipe != "block" || p.Sign[0].KeyBy != "selected-file" {
		t.Errorf("%v\n%s", err, b.stdout.String())
	}
	if !strings.Contains(b.stderr.String(), "The card signs with rsa-pkcs1: block, algorithm 00, key by selected-file.") {
		t.Error(b.stderr.String())
	}
	script, err := os.ReadFile(filepath.Join(dir, "script.txt"))
	if err != nil || !strings.Contains(string(script), "VERIFY, the PIN is blanked") || strings.Contains(string(script), "31 32 33 34") {
		t.Errorf("%v\n%s", err, script)
	}
}

// TestLearnRefuses: a wrong PIN is sent once, a blocked card gets none, and bad
// hints are an error before any card is needed.
func TestLearnRefuses(t *testing.T) {
	p := newPKI(t)
	b := newBench(p.Cards["valid"], "9999\n")
	if err := b.run(t.Context(), []string{"card", "learn"}); err == nil || !strings.Contains(err.Error(), "wrong PIN, 2 tries left") || b.stdout.Len() > 0 {
		t.Errorf("wrong PIN: %v", err)
	}
	b = newBench(p.Cards["valid"], "1234\n")
	if err := b.run(t.Context(), []string{"card", "learn"}); err == nil || !strings.Contains(err.Error(), "fewer than 3 tries left: 2") {
		t.Errorf("two tries left: %v", err)
	}
	b = newBench(nil, "")
	if err := b.run(t.Context(), []string{"card", "learn", "--certificate-path", "50"}); err == nil || !strings.Contains(err.Error(), "cannot use hints") {
		t.Errorf("bad hint: %v", err)
	}
}
