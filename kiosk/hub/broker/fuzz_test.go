package broker

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A callback is either refused or has a state; and what is accepted is bounded.
func FuzzReadCallback(f *testing.F) {
	for _, s := range []string{
		"state=a&code=b&iss=https://broker.example", "state=a&error=access_denied", "state=a&state=b", "state=%zz", "", "&&=;",
		"state=a&code=" + strings.Repeat("x", maxCallback),
	} {
		f.Add(s)
	}
	flow := Flow{State: "a"}
	f.Fuzz(func(t *testing.T, query string) {
		c, err := ReadCallback(query)
		if err != nil {
			if _, ok := err.(*Refusal); !ok {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		if c.state == "" || len(query) > maxCallback {
			t.Errorf("%q is accepted", query)
		}
		if c.IsFor(flow) != (c.state == "a") {
			t.Errorf("%q is taken for another login's callback", query)
		}
		if c.IsFor(Flow{}) {
			t.Error("a callback is for a flow without a state")
		}
	})
}

// A session that is read has an id that is safe in a path.
func FuzzSession(f *testing.F) {
	for _, s := range []string{`{"id":"a-1","status":"SUCCESS","subject":{"id":"x"},"loa":"high"}`, `{"id":"../a"}`, `{"id":""}`, `{"id":7}`, `[]`, `null`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readSession(text)
		if err == nil && (s.ID == "" || strings.ContainsAny(s.ID, "/?#.% \x00")) {
			t.Errorf("id %q", s.ID)
		}
	})
}

// Claims never panic, and a person who is accepted has an identifier of the configured form.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"sub":"a","bp_id_sub":"900000001","name":"Kari Prøve","amr":["sc"],"iat":1,"exp":2,"acr":"high"}`,
		`{"sub":"a","bp_id_sub":"15507600333"}`, `{"sub":7}`, `{"amr":"sc"}`, `{"iat":1e400}`, `{"iat":-1e18}`, `[]`, `null`, `{`,
		`{"sub":"a","bp_x509certificate":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		f.Fatal(err)
	}
	c, err := New(Config{
		Name: "test", Environment: Sandbox, Preset: "generic", Issuer: "https://broker.example", ClientID: "c", ClientAuth: SecretBasic, SecretFile: "secret",
		SubjectClaim: "bp_id_sub", SubjectForm: FormBuypass, CertificateClaim: "bp_x509certificate",
	}, dir, Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := readClaims(text)
		if err != nil {
			return
		}
		p, err := c.person(in)
		if err != nil {
			if p.Holder.ID != "" {
				t.Errorf("refused, yet names %q", p.Holder.ID)
			}
			return
		}
		if number, ok := strings.CutPrefix(p.Holder.ID, "UN:NO-9578-4050-"); !ok || !digits.MatchString(number) {
			t.Errorf("identifier %q", p.Holder.ID)
		}
		if strings.ContainsAny(p.Holder.Name, "\x00\n\x1b\u202e") {
			t.Errorf("name %q", p.Holder.Name)
		}
	})
}
