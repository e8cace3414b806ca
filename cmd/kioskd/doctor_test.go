package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
)

// diagnosis is a check in the output of "kioskctl doctor --json".
type diagnosis struct{ Check, State, Found, Advice, Because string }

// examine runs kioskctl doctor on the site's kiosk and returns its checks by name.
func (s *site) examine(args ...string) map[string]diagnosis {
	s.t.Helper()
	c := exec.Command(program(s.t, "kioskctl"), append([]string{"doctor", "--json", "--config", s.config}, args...)...)
	// kioskd is installed where the programs are.
	c.Env = append(os.Environ(), "PATH="+programs.dir+":"+os.Getenv("PATH"))
	out, err := c.Output()
	var report struct {
		Kiosk  string
		Checks []diagnosis
	}
	if err := json.Unmarshal(out, &report); err != nil {
		s.t.Fatalf("doctor: %v\n%s", err, out)
	}
	all, failed := map[string]diagnosis{}, false
	for _, d := range report.Checks {
		all[d.Check] = d
		failed = failed || d.State == "FAILED"
		if d.State == "FAILED" && d.Advice == "" {
			s.t.Errorf("%s has no advice: %s", d.Check, d.Found)
		}
	}
	if exit, _ := errors.AsType[*exec.ExitError](err); (exit != nil && exit.ExitCode() == 1) != failed {
		s.t.Errorf("doctor ends with %v, one failed: %v", err, failed)
	}
	return all
}

// is checks the state of some checks, "ok" or "FAILED text" or "not run cause".
func is(t *testing.T, when string, got map[string]diagnosis, want map[string]string) {
	t.Helper()
	for check, state := range want {
		d := got[check]
		text := d.State
		switch {
		case d.State == "not run":
			text += " " + d.Because
		case d.State != "ok":
			text += " " + d.Found
		}
		if !strings.HasPrefix(text, state) {
			t.Errorf("%s, %s is %q, want %q", when, check, text, state)
		}
	}
}

// TestDoctor examines a kiosk with a real hub and a real PC/SC service while one thing
// after another fails.
func TestDoctor(t *testing.T) {
	pcscd := pcsctest.Start(t)
	s := newSite(t)
	theHub := s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	p.sees("welcome")
	remove := s.insert("valid")
	p.types("1234#")
	p.sees("granted")
	remove()
	p.sees("welcome")
	s.pull(1)
	is(t, "when all is well", s.examine(), map[string]string{
		"configuration": "ok", "certificate": "ok", "network": "ok", "dns": "ok", "hub": "ok", "tls": "ok", "pcscd": "ok", "reader": "ok",
		"panel": "ok", "kioskd": "ok", "outbox": "ok", "policy": "ok", "schedule": "ok", "versions": "ok",
	})
	t.Run("bundle", func(t *testing.T) { s.searchBundle(t, kiosk) })

	theHub.signal(syscall.SIGKILL)
	is(t, "without a hub", s.examine(), map[string]string{"dns": "ok", "hub": "FAILED 127.0.0.1 answers, but nothing listens on port", "tls": "not run hub", "kioskd": "ok"})
	theHub = s.startHub()

	s.edit(t, `match = ""`, `match = "Gemalto"`)
	is(t, "with another reader", s.examine(), map[string]string{"pcscd": "ok", "reader": `FAILED no reader's name contains "Gemalto"; there is "Virtual PCD`})
	s.edit(t, `match = "Gemalto"`, `match = ""`)

	kiosk.stop()
	is(t, "without kioskd", s.examine(), map[string]string{"kioskd": "FAILED kioskd does not run", "outbox": "ok", "policy": "ok", "schedule": "not run kioskd", "tls": "ok", "panel": "FAILED the panel's page"})
	pcscd.Kill()
	is(t, "without pcscd", s.examine(), map[string]string{"pcscd": "FAILED no PC/SC service answers", "reader": "not run pcscd", "tls": "ok"})

	other := newSite(t) // its CA is another one
	bundle := func(of *site, name string) string { return filepath.Join(filepath.Dir(of.config), name) }
	swap := func(names ...string) (back func()) {
		for _, name := range names {
			if err := os.Rename(bundle(s, name), bundle(s, name)+".own"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(bundle(other, name), bundle(s, name)); err != nil {
				t.Fatal(err)
			}
		}
		return func() {
			for _, name := range names {
				if err := os.Rename(bundle(s, name)+".own", bundle(s, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	back := swap("hub-ca.pem")
	is(t, "with another CA", s.examine(), map[string]string{"hub": "ok", "tls": "FAILED the hub's certificate is of another CA"})
	back()
	back = swap("kiosk.pem", "kiosk.key")
	is(t, "with another hub's certificate", s.examine(), map[string]string{"certificate": "ok", "hub": "ok", "tls": "FAILED the hub refuses the kiosk's certificate"})
	back()
	if err := os.Chmod(bundle(s, "kiosk.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	is(t, "with a key that others can read", s.examine(), map[string]string{"certificate": "FAILED cannot read key: others can read", "tls": "not run certificate"})
	s.edit(t, "[hub]", "[hup]")
	is(t, "with a mistake in the configuration", s.examine(), map[string]string{"configuration": "FAILED cannot read configuration", "dns": "not run", "certificate": "not run configuration", "tls": "not run"})
	theHub.stop()
}

// edit replaces a text in kioskd.toml.
func (s *site) edit(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), from, to, 1)
	if changed == string(text) {
		t.Fatalf("%s has no %q", s.config, from)
	}
	if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// searchBundle looks in a support bundle for what must not be in it, after a visit. A
// program called journalctl stands in for that of systemd: it prints kioskd's real log, and
// lines that kioskd does not write.
func (s *site) searchBundle(t *testing.T, kiosk *process) {
	key, err := os.ReadFile(filepath.Join(filepath.Dir(s.config), "kiosk.key"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(log, []byte(kiosk.output()+"\npanic: Solveig Testperson\n"+string(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), fmt.Appendf(nil, "#!/bin/sh\ncat %s\n", log), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	s.edit(t, "[hub]", "# the alarm's code is Hemmelig77\n[hub]")
	path := filepath.Join(dir, "support.tar.gz")
	s.examine("--bundle", path)
	files := untar(t, path)
	for _, name := range []string{"doctor.txt", "doctor.json", "kioskd.toml", "board.toml", "parts.json", "events.txt", "log.txt"} {
		if _, ok := files["support/"+name]; !ok {
			t.Errorf("the bundle has no %s", name)
		}
	}
	for name, text := range map[string]string{"log.txt": "msg=ready", "events.txt": "smartkiosk.visit.v1", "kioskd.toml": "match = ''", "doctor.txt": "certificate", "parts.json": "Virtual PCD"} {
		if !strings.Contains(files["support/"+name], text) {
			t.Errorf("%s does not have %q:\n%s", name, text, files["support/"+name])
		}
	}
	secrets := []string{"Solveig", "Testperson", "1234#", "Hemmelig77", "BEGIN", "PRIVATE", `"d"`, `"ciphertext"`, "encrypted"}
	for line := range strings.Lines(string(key)) {
		secrets = append(secrets, strings.TrimSpace(line))
	}
	for name, text := range files {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
}

// untar returns the files of a .tar.gz.
func untar(t *testing.T, path string) map[string]string {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}
