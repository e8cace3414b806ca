package main

import (
	"encoding/json"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
)

// TestOnePersonOneHolder: a card and a login through the broker name one person by the same
// identifier, because the operator maps the broker's claim to the card's serialNumber.
func TestOnePersonOneHolder(t *testing.T) {
	out, err := demoScript(t, "insert valid\nkeys 1234#\nexpect verdict granted\nremove\nkeys 1\nphone open\nphone login solveig\ndigits\nexpect verdict granted\n", "--events")
	if err != nil {
		t.Fatal(err)
	}
	var holders []kiosk.Holder
	for line := range strings.Lines(out) {
		var e struct {
			Type string
			Data event.Visit
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == event.TypeVisit && e.Data.Holder != nil {
			holders = append(holders, *e.Data.Holder)
			if byPhone := e.Data.Method == kiosk.ByPhone; byPhone != (len(holders) == 2) || byPhone != e.Data.Sandbox {
				t.Errorf("visit %d has method %q, sandbox %v", len(holders), e.Data.Method, e.Data.Sandbox)
			}
		}
	}
	if len(holders) != 2 || holders[0] != holders[1] || holders[0].ID != "UN:NO-9578-4050-900000001" {
		t.Errorf("the holders are %+v", holders)
	}
}
