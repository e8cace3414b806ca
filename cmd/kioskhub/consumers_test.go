package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"smartkiosk/kiosk/hub"
)

const consumersFile = "../../kiosk/hub/CONSUMERS.md"

// example returns the code of a language in CONSUMERS.md.
func example(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(consumersFile)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%d examples in %s, want 1", len(found), language)
	}
	return found[0][1]
}

func copyTo(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The programs of CONSUMERS.md read a real hub's feed, check signatures and acknowledge.
// They refuse an event that another kiosk has signed.
func TestConsumersExamples(t *testing.T) {
	dir := folder(t)
	k := newKiosk(t, dir, "k1")
	newKiosk(t, dir, "k2")
	start(t, "serve", "--dir", dir).says(t, "hub ready")
	cfg, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for range 3 {
		if _, err := k.SendEvents(t.Context(), []json.RawMessage{k.next(t)}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "k1 %020d cancelled\n", k.sequence)
	}
	for language, command := range map[string][]string{
		"sh":     {"sh", "-eu"},
		"go":     {"go", "run"},
		"python": {"/usr/bin/python3"},
		"js":     {"node"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			bundle, err := hub.AddConsumer(dir, language)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(bundle, "kiosks"), 0o700); err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(bundle, "main."+language)
			if err := os.WriteFile(program, []byte(example(t, language)), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(signer string) (stdout, stderr string, err error) {
				copyTo(t, filepath.Join(bundle, "kiosks", "k1.pem"), filepath.Join(dir, "kiosks", signer, "kiosk.pem"))
				c := exec.CommandContext(t.Context(), command[0], append(command[1:], "main."+language)...)
				var out, errs strings.Builder
				c.Dir, c.Stdout, c.Stderr = bundle, &out, &errs
				c.Env = append(os.Environ(), "HUB="+cfg.URL, "CONSUMER="+language, "GOFLAGS=", "GO111MODULE=off")
				err = c.Run()
				return out.String(), errs.String(), err
			}
			if language == "sh" {
				out, errs, err := run("k1")
				var batch []json.RawMessage
				if err != nil || json.Unmarshal([]byte(out), &batch) != nil || len(batch) != 3 {
					t.Fatalf("got %s, %s, %v", out, errs, err)
				}
			} else {
				if out, errs, err := run("k2"); err == nil || out != "" || !strings.Contains(errs, "signature") {
					t.Errorf("with the key of another kiosk: got %s, %s, %v", out, errs, err)
				}
				if out, errs, err := run("k1"); err != nil || out != want.String() {
					t.Fatalf("got %s, %s, %v, want %s", out, errs, err, want.String())
				}
			}
			if out, errs, err := run("k1"); err != nil || strings.Trim(out, "[]\n") != "" {
				t.Errorf("after the acknowledgement: got %s, %s, %v", out, errs, err)
			}
		})
	}
}

// The program of CONSUMERS.md with a NATS client reads what the hub's own JetStream has, and
// acknowledges it.
func TestConsumersNATSExample(t *testing.T) {
	dir := folder(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	settings, err := os.OpenFile(filepath.Join(dir, "hub.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(settings, "\n[nats]\nlisten = %q\n", address); err != nil || settings.Close() != nil {
		t.Fatal(err)
	}
	k := newKiosk(t, dir, "k1")
	start(t, "serve", "--dir", dir).says(t, "hub ready")
	var want strings.Builder
	for range 3 {
		if _, err := k.SendEvents(t.Context(), []json.RawMessage{k.next(t)}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "urn:smartkiosk:kiosk:k1 %020d\n", k.sequence)
	}
	var said strings.Builder
	if err := run(t.Context(), &said, "consumer", "add", "--dir", dir, "--nats", "office"); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "consumers", "office")
	if got, wanted := said.String(), fmt.Sprintf("%s\nServers:   tls://%s\nFiles:     CA hub-ca.pem, certificate consumer.pem, key consumer.key\nAPI:       HUB.API\nStream:    smartkiosk-events\nConsumer:  consumer-office\n", bundle, address); got != wanted {
		t.Errorf("it printed %s, want %s", got, wanted)
	}
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(example(t, "go nats")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "main")
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{want.String(), ""} {
		c := exec.CommandContext(t.Context(), program)
		var out, errs strings.Builder
		c.Dir, c.Stdout, c.Stderr = bundle, &out, &errs
		c.Env = append(os.Environ(), "SERVERS=tls://"+address, "CA=hub-ca.pem", "CONSUMER=office")
		if err := c.Run(); err != nil || out.String() != want {
			t.Fatalf("got %s, %s, %v, want %s", out.String(), errs.String(), err, want)
		}
	}
}

// CONSUMERS.md explains every reason of package kiosk.
func TestConsumersReasons(t *testing.T) {
	text, err := os.ReadFile(consumersFile)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../kiosk/kiosk.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 40 {
		t.Fatalf("found only %d reasons", len(reasons))
	}
	for _, r := range reasons {
		if !strings.Contains(string(text), "`"+r[1]+"`") {
			t.Errorf("CONSUMERS.md does not explain %s", r[1])
		}
	}
}
