package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// notFirmware lists packages that a kiosk must not contain: the backend, its message
// server, and software cards with their test keys.
var notFirmware = []string{
	"smartkiosk/kiosk/hub",
	"smartkiosk/device/cardsim",
	"smartkiosk/cmd/internal/demo",
	"github.com/nats-io",
	"github.com/getkin/kin-openapi",
	"testing",
}

func TestFirmwareDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := strings.Fields(string(out))
	for _, p := range packages {
		for _, forbidden := range notFirmware {
			if p == forbidden || strings.HasPrefix(p, forbidden+"/") {
				t.Errorf("kioskd depends on %s", p)
			}
		}
	}
	if len(packages) < 100 {
		t.Errorf("go list names only %d packages", len(packages))
	}
}

// TestFirmwareHoldsNoPrivateKey looks for keys in PEM. The words "PRIVATE KEY"
// alone are in crypto/tls and in device/tpmkey, which read such files.
func TestFirmwareHoldsNoPrivateKey(t *testing.T) {
	key := regexp.MustCompile(`BEGIN [A-Z0-9 ]*PRIVATE KEY`)
	for name, want := range map[string]bool{"kioskd": false, "kioskhub": false, "kioskdemo": true} {
		program, err := os.ReadFile(program(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if found := key.Find(program); (found != nil) != want {
			t.Errorf("%s holds the private key %q, want one: %v", name, found, want)
		}
	}
}
