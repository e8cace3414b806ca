package checkup

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	r := Report{Kiosk: "k1", Checks: []Finding{
		{Check: "network", State: OK, Found: "eth0"},
		Find(Failed, "no answer from %s", "10.0.0.1").Advise("plug in the cable"),
		{Check: "tls", State: NotRun, Found: "hub failed", Because: "hub", Depth: 2},
	}}
	r.Checks[1].Check, r.Checks[1].Depth = "hub", 1
	var out strings.Builder
	r.Print(&out)
	want := `ok       network  eth0
FAILED     hub    no answer from 10.0.0.1
                  → plug in the cable
not run      tls  hub failed
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if !r.Failed() || r.Checks[2].Cause() != "hub" || r.Checks[1].Cause() != "hub" || r.Checks[0].Cause() != "" {
		t.Error("the failed check is not the cause")
	}
}

// A kiosk that was taken over cannot send commands to the operator's terminal.
func TestRead(t *testing.T) {
	text, err := json.Marshal(Report{Kiosk: "k1\x1b[2J", Checks: []Finding{{Check: "a\nok b", State: "ok\r", Found: "æøå \u202edaer", Depth: 1 << 30}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(text)
	if err != nil || r.Kiosk != "k1?[2J" || len(r.Checks) != 1 || r.Checks[0] != (Finding{Check: "a?ok b", State: "ok?", Found: "æøå ?daer", Depth: maxDepth}) {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := Read([]byte(`{"checks":7}`)); err == nil {
		t.Error("a report without a list of checks is accepted")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-29T12:00:00Z","kiosk":"k1","checks":[{"check":"network","state":"ok","found":"eth0","depth":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(text)
		if err != nil {
			return
		}
		var out strings.Builder
		r.Print(&out)
		if strings.ContainsAny(out.String(), "\x00\x07\x1b\r") {
			t.Errorf("%q prints %q", text, out.String())
		}
	})
}
