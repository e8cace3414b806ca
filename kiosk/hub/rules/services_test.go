package rules

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

const offering = `
default = "allow"
[groups]
clinic = ["k1", "k2"]
[[services]]
groups = ["clinic"]
kiosks = ["k9"]
change_pin = true
[[services.choice]]
code = "blood"
texts = { nb = "Blodprøve", en = "Blood sample" }
[[services.choice]]
code = "visit"
texts = { nb = "Besøk" }
[[services]]
unblock_pin = true
documents = true
`

func TestServices(t *testing.T) {
	r, err := Parse([]byte(offering), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k1", "k2", "k9"} {
		if s := r.Services(name); !s.ChangePIN || s.Unblock || len(s.Choices) != 2 || s.Choices[0].Code != "blood" || s.Choices[0].Texts["en"] != "Blood sample" {
			t.Errorf("%s offers %+v", name, s)
		}
	}
	if s := r.Services("k3"); s.ChangePIN || !s.Unblock || !s.Documents || s.Choices != nil {
		t.Errorf("k3 offers %+v", s)
	}
	if none, err := Parse([]byte(`default = "allow"`), ""); err != nil || !isNone(none.Services("k1")) {
		t.Errorf("without [[services]]: %v", err)
	}
	for change, want := range map[string]string{
		`"k9"|"k1"`:      `services 1: kiosks: "k1" occurs twice`,
		`"clinic"|"lab"`: `services 1: groups: "lab": [groups] has no such group`,
		"[[services]]\nunblock_pin|[[services]]\nkiosks = [\"k2\"]\nunblock_pin": `services 2: kiosk "k2" has services already`,
		"unblock_pin = true|[[services]]\nunblock_pin = true":                    "services 3: a second entry that names no kiosks",
		`code = "visit"|code = "blood"`:                                          `services 1: services: code "blood" occurs twice`,
		`change_pin = true|change_puk = true`:                                    "change_puk",
	} {
		from, to, _ := strings.Cut(change, "|")
		if change == `"k9"|"k1"` {
			from, to = `["k9"]`, `["k1", "k1"]`
		}
		if !strings.Contains(offering, from) {
			t.Fatalf("%q is not in the file", from)
		}
		if _, err := Parse([]byte(strings.Replace(offering, from, to, 1)), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", change, err, want)
		}
	}
}

func isNone(s kiosk.Services) bool { return !s.ChangePIN && !s.Unblock && len(s.Choices) == 0 }
