package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim/pcsctest"
)

var forgetVisits = flag.Int("forget.visits", 9, "number of visits of TestForgets")

// TestForgets searches the memory of a kiosk for what its visits have left there: name,
// number, certificate and PIN of the holder. The visits end in all ways that involve them:
// granted by the hub and offline, denied, cancelled with a PIN half typed.
func TestForgets(t *testing.T) {
	pcsctest.Start(t)
	s := newSite(t)
	pin := "7049" // unlike 1234 in no table of digits
	wanted := secrets(t, s, "valid", pin)
	h := s.startHub()
	p := newPerson(t, s.panel)
	k := s.startKiosk(p)
	p.sees("welcome")
	visit := func(keys, outcome string) {
		remove := s.insert("valid")
		p.sees("pin")
		for i, key := range keys {
			p.presses(string(key))
			if key != '#' {
				p.awaits("digit", func(f frame) bool { return f.Entry == i+1 })
			}
		}
		if outcome != "" {
			p.sees(outcome)
			if found := search(t, k, wanted); !strings.Contains(strings.Join(found, "\n"), "surname") {
				t.Errorf("the search does not even find the name while it is shown: %q", found)
			}
		}
		remove()
		p.sees("welcome")
	}
	for i := range *forgetVisits {
		switch i % 4 {
		case 0, 2:
			visit(pin+"#", "granted")
		case 1:
			visit(pin[:3], "")
		case 3:
			h.stop()
			visit(pin+"#", "granted") // offline
			h = s.startHub()
		}
	}
	// The kiosk cleans up after the welcome screen is shown.
	var found []string
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		if found = search(t, k, wanted); len(found) == 0 {
			return
		}
	}
	t.Errorf("after %d visits the kiosk's memory contains:\n%s", *forgetVisits, strings.Join(found, "\n"))
}

// secrets gives a card another PIN, and returns what must not be in memory, by name.
func secrets(t *testing.T, s *site, card, pin string) map[string][]byte {
	t.Helper()
	path := s.path("pki/cards/" + card + ".card")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	file["pins"].(map[string]any)["pin"].(map[string]any)["value"] = pin
	key := file["keys"].(map[string]any)["authentication"].(map[string]any)
	block, _ := pem.Decode([]byte(key["certificate"].(string)))
	if text, err = json.Marshal(file); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string][]byte{"PIN and zeros": []byte(pin + "\x00\x00\x00\x00"), "PIN block": []byte(pin + "\xff\xff\xff\xff"), "given name": []byte("Solveig"), "surname": []byte("Prøvesen"), "number": []byte("900000001")}
	var wide []byte // as the runes of a keypad
	for _, digit := range pin {
		wide = append(wide, byte(digit), 0, 0, 0)
	}
	wanted["PIN in runes"] = wide
	// Any part of the certificate, but for what all certificates of its CA have in common.
	der := block.Bytes
	encoded := base64.StdEncoding.EncodeToString(der)
	for at := len(der) / 3; at+24 <= len(der); at += len(der) / 4 {
		wanted[fmt.Sprintf("certificate from byte %d", at)] = der[at : at+24]
		from := at / 3 * 4
		wanted[fmt.Sprintf("base64 of the certificate from byte %d", at)] = []byte(encoded[from : from+32])
	}
	return wanted
}

// search looks for secrets in all memory that a process can write.
func search(t *testing.T, k *process, wanted map[string][]byte) (found []string) {
	t.Helper()
	pid := k.cmd.Process.Pid
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	searched := 0
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		part := make([]byte, to-from)
		n, _ := mem.ReadAt(part, from) // what lies beyond the process' stack guard cannot be read
		searched += n
		for name, secret := range wanted {
			for at := bytes.Index(part[:n], secret); at >= 0; {
				around := part[max(0, at-40):min(n, at+len(secret)+24)]
				found = append(found, fmt.Sprintf("%s at %x in %s: %q", name, from+int64(at), strings.TrimSpace(line[25:]), around))
				next := bytes.Index(part[at+1:n], secret)
				if next < 0 {
					break
				}
				at += 1 + next
			}
		}
	}
	if searched < 1<<20 {
		t.Fatalf("only %d bytes of memory could be read", searched)
	}
	return found
}
