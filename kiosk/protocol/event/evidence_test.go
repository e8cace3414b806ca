package event

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

// Without its evidence an event has the same attributes and payload, and says what is missing.
func TestWithoutEvidence(t *testing.T) {
	plain, err := os.ReadFile("testdata/visit.plain.json")
	if err != nil {
		t.Fatal(err)
	}
	o, err := readObject(plain)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := o.text("jws")
	if err != nil {
		t.Fatal(err)
	}
	evidence := string(Members(o.get("data"), "evidence")[0])
	link := base64.RawURLEncoding.EncodeToString(Link(string(jws)))
	want := strings.NewReplacer(
		`"jws":"`+string(jws)+`"`, `"evidenceremoved":true,"link":"`+link+`"`,
		`,"evidence":`+evidence, ``,
	).Replace(strings.TrimSpace(string(plain)))
	got, err := WithoutEvidence(plain)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if again, err := WithoutEvidence(got); err != nil || string(again) != want {
		t.Errorf("twice: %s, %v", again, err)
	}
	hubs := `{"source":"urn:smartkiosk:hub","data":{"evidence":"x"}}`
	if got, err := WithoutEvidence([]byte(hubs)); err != nil || string(got) != hubs {
		t.Errorf("the hub's own event became %s, %v", got, err)
	}
	for _, bad := range []string{"", "[]", `{"jws":7,"data":{}}`, `{"jws":"a","jws":"b"}`} {
		if got, err := WithoutEvidence([]byte(bad)); err == nil {
			t.Errorf("%s became %s", bad, got)
		}
	}
}
