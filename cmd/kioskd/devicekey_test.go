package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/tpmkey/swtpm"
)

// TestKeyInTPM runs a kiosk whose device key is in a TPM. The kiosk must authenticate
// to the hub and sign its events with this key. Without the TPM it must not turn a
// visitor away without a record. When the TPM is back, it must serve again by itself.
func TestKeyInTPM(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	tpm := swtpm.Start(t)
	file, csr := s.path("tpm.key"), s.path("k2.csr")
	request := must(t, "kioskctl", "key", "create", "--tpm", file, "--device", tpm.Path)
	if err := os.WriteFile(csr, []byte(request), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "kioskhub", "kiosk", "add", "--dir", s.path("hub"), "--csr", csr, "k2")
	s.config = s.path("hub/kiosks/k2/kioskd.toml")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("127.0.0.1:8080", s.panel, `key = "kiosk.key"`, `key = "`+file+`"`+"\ntpm = \""+tpm.Path+`"`).Replace(string(text))
	if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}

	theHub := s.startHub()
	p := newPerson(t, s.panel)
	kiosk := s.startKiosk(p)
	p.sees("welcome")
	s.events(2)
	tpm.Restart() // drops the keys that were loaded
	remove := s.insert("expired")
	p.sees("denied")
	remove()
	p.sees("welcome")
	tpm.Stop()
	remove = s.insert("expired")
	p.sees("out-of-service")
	kiosk.await("cannot sign with the TPM at " + tpm.Path + ": the device does not exist")
	remove()
	tpm.Restart()
	p.sees("welcome")
	remove = s.insert("expired")
	p.sees("denied")
	remove()
	p.sees("welcome")
	// The first outcome could be signed only when its screen was no longer wanted.
	var told []string
	for _, e := range s.events(8) {
		var d struct{ Outcome, Result string }
		if err := json.Unmarshal(e.data, &d); err != nil {
			t.Fatal(err)
		}
		told = append(told, d.Outcome+d.Result)
	}
	if want := []string{"denied", "not-shown", "denied", "shown"}; len(told) < 4 || !slices.Equal(told[len(told)-4:], want) {
		t.Errorf("the feed tells %q", told)
	}
	kiosk.stop()
	theHub.stop()

	if out := fails(t, "kioskctl", "key", "create", "--tpm", file, "--device", tpm.Path); !strings.Contains(out, "file exists") {
		t.Errorf("an existing key was overwritten: %s", out)
	}
	none := s.path("none.key")
	if out := fails(t, "kioskctl", "key", "create", "--tpm", none, "--device", none); !strings.Contains(out, "cannot create a key in the TPM at "+none) {
		t.Errorf("without a TPM: %s", out)
	}
	if out := fails(t, "kioskctl", "key", "create"); !strings.Contains(out, "--tpm is missing") {
		t.Errorf("without a file: %s", out)
	}

	// kioskd refuses a key that other users can read.
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := fails(t, "kioskd", "run", "--config", s.config); !strings.Contains(out, "cannot read key: others can read "+file+" (mode 0644): chmod 600 it") {
		t.Errorf("it says %s", out)
	}
}
