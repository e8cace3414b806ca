package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/demo/page/browsertest"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

// demoScript plays a script in this process.
func demoScript(t *testing.T, script string, flags ...string) (stdout string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	args := append([]string{"--script", "-"}, flags...)
	err = cli.Run(t.Context(), command(), args, strings.NewReader(script), &out, &log)
	if err != nil {
		t.Logf("the demo logged:\n%s", log.String())
	}
	return out.String(), err
}

func TestDemoScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := demoScript(t, string(script)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The same scripts pass through a real pcscd.
func TestDemoPCSC(t *testing.T) {
	pcsctest.Start(t)
	for _, name := range []string{"every-card", "offline"} {
		script, err := os.ReadFile("testdata/scripts/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := demoScript(t, string(script), "--pcsc"); err != nil {
			t.Error(err)
		}
	}
}

// TestDemoEvents checks that --events prints all events as JSON lines in order,
// although the script does not wait for them.
func TestDemoEvents(t *testing.T) {
	out, err := demoScript(t, "insert expired\nexpect verdict denied\ninsert valid\nkeys 1234#\nexpect verdict granted\n", "--events")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 6 { // the epoch, the start, two visits and what was shown of them
		t.Fatalf("%d events:\n%s", len(lines), out)
	}
	for i, line := range lines {
		var e struct{ Sequence, Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(e.Sequence); err != nil || n != i+1 {
			t.Errorf("line %d has sequence %q", i+1, e.Sequence)
		}
	}
}

// A script stops at the first line that fails and names it.
func TestDemoScriptFails(t *testing.T) {
	for script, want := range map[string]string{
		"insert expired\nexpect verdict granted\n":                  "standard input:2: expected verdict granted, got denied expired",
		"insert valid\nkeys 1234#\nexpect verdict denied revoked\n": "standard input:3: expected verdict denied revoked, got granted",
		"insert expired\nexpect feed 1\nexpect feed 0\n":            "standard input:3: expected 0 outcomes in the feed, got 1",
		"insert golden\n":         `standard input:1: there is no card "golden": the cards are `,
		"\ninsert valid\nexpct\n": `standard input:3: cannot read "expct"`,
	} {
		if _, err := demoScript(t, script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", script, err, want)
		}
	}
}

// TestDemoHubHasNoKioskKey checks that the key of the demo's kiosk is not in the hub's
// folder.
func TestDemoHubHasNoKioskKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if _, err := demoScript(t, "expect screen welcome\n", "--dir", dir); err != nil {
		t.Fatal(err)
	}
	cert, err := hubapi.ReadCertificate(filepath.Join(dir, "kiosk/kiosk.pem"))
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	err = filepath.WalkDir(filepath.Join(dir, "hub"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if key, err := hubapi.ParseKey(text); err == nil {
			keys++
			if cert.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
				t.Errorf("%s is the kiosk's private key", path)
			}
		}
		return nil
	})
	if err != nil || keys < 2 {
		t.Errorf("the hub's folder has %d private keys, %v; want those of its CA and its server", keys, err)
	}
}

// TestDemoRenews checks that a demo whose certificates end soon gets new ones.
func TestDemoRenews(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	play := func() {
		t.Helper()
		if _, err := demoScript(t, "expect screen welcome\n", "--dir", dir); err != nil {
			t.Fatal(err)
		}
	}
	play()
	hubDir, cert := filepath.Join(dir, "hub"), filepath.Join(dir, "kiosk/kiosk.pem")
	settings := filepath.Join(hubDir, "hub.toml")
	usual, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	brief := bytes.Replace(usual, []byte(`lifetime = "2160h"`), []byte(`lifetime = "48h"`), 1)
	if err := os.WriteFile(settings, brief, 0o600); err != nil {
		t.Fatal(err)
	}
	short, _, err := hub.RenewClient(hubDir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "demo"})
	if err := errors.Join(err, os.Rename(short, cert), os.WriteFile(settings, usual, 0o600)); err != nil {
		t.Fatal(err)
	}
	play()
	renewed, err := hubapi.ReadCertificate(cert)
	if err != nil || time.Until(renewed.NotAfter) < hubapi.EndingSoon {
		t.Errorf("the kiosk's certificate ends %v, %v", renewed.NotAfter, err)
	}
}

// TestDemoFolder checks that a demo goes on in its own folder and refuses a folder
// that holds something else.
func TestDemoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	for range 2 {
		if _, err := demoScript(t, "insert expired\nexpect verdict denied expired\n", "--dir", dir); err != nil {
			t.Fatal(err)
		}
	}
	out, err := demoScript(t, "expect screen welcome\n", "--dir", dir, "--events")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"sequence":"00000000000000000008"`) {
		t.Errorf("a third run ends its events with %s", last)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "diary.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demoScript(t, "", "--dir", other); err == nil || !strings.Contains(err.Error(), "the folder holds something else") {
		t.Errorf("a foreign folder: %v", err)
	}
}

func TestDemoListensOnLoopbackOnly(t *testing.T) {
	err := cli.Run(t.Context(), command(), []string{"--listen", "0.0.0.0:0"}, nil, &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening everywhere: %v", err)
	}
}

// TestDemoPage inserts a card and types the PIN in Chromium, and sees the verdict and
// the event.
func TestDemoPage(t *testing.T) {
	url := serveDemo(t)
	tab := browsertest.Start(t)
	browsertest.Do(t, tab, chromedp.Navigate(url))
	browsertest.Until(t, tab, screenIs("welcome"))

	browsertest.Do(t, tab, chromedp.Click(".choose"))
	browsertest.Do(t, tab, chromedp.Click(`//dialog//button[contains(., "Valid")]`))
	browsertest.Until(t, tab, screenIs("pin"))
	browsertest.Do(t, tab, chromedp.KeyEvent("1234\r"))
	browsertest.Until(t, tab, screenIs("granted"))
	browsertest.Until(t, tab, `document.querySelector(".feed").innerText.includes("granted")`)
	browsertest.Until(t, tab, `document.querySelector(".feed").innerText.includes("Solveig Prøvesen")`)

	// Without the hub the kiosk decides by itself. The event comes later.
	browsertest.Do(t, tab, chromedp.Click(".remove"))
	browsertest.Until(t, tab, screenIs("welcome"))
	browsertest.Do(t, tab, chromedp.Click("#hub"))
	browsertest.Do(t, tab, chromedp.Click(".choose"))
	browsertest.Do(t, tab, chromedp.Click(`//dialog//button[contains(., "Expired")]`))
	browsertest.Until(t, tab, screenIs("denied"))
	browsertest.Do(t, tab, chromedp.Click("#hub"))
	browsertest.Until(t, tab, `document.querySelector(".feed").innerText.includes("expired")`)
}

// serveDemo serves the demo's page until the test ends, and returns its URL.
func serveDemo(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := cli.Run(ctx, command(), []string{"--listen", "127.0.0.1:0"}, nil, out, t.Output())
		_ = out.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(said)
	if !lines.Scan() {
		t.Fatal("the demo ended without an address")
	}
	_, line, _ := strings.Cut(lines.Text(), "The kiosk is at ")
	url, _, found := strings.Cut(line, " ")
	if !found {
		t.Fatalf("the demo says %q, without an address", lines.Text())
	}
	return url
}

// screenIs returns a JavaScript expression that is true while the panel shows a
// screen.
func screenIs(id string) string {
	return `document.querySelector("kiosk-panel [data-screen]")?.dataset.screen === "` + id + `"`
}
