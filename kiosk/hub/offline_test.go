package hub

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

// A new hub lets kiosks decide nothing offline.
func TestNewHubAllowsNothingOffline(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hub")
	if err := Init(dir, InitOptions{Listen: "127.0.0.1:8443", URL: origin}); err != nil {
		t.Fatal(err)
	}
	s, err := readSettings(dir)
	if err != nil || s.Offline.Rule != hubpolicy.Never {
		t.Errorf("the offline rule is %q, %v; want never", s.Offline.Rule, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if err != nil || !strings.Contains(string(text), `"known"`) || !strings.Contains(string(text), `"trusted"`) {
		t.Errorf("hub.toml does not explain the rules: %v", err)
	}
}

// A kiosk's policy carries the deny rules that apply there, names no holder, and verifies.
func TestPolicyCarriesDenyRules(t *testing.T) {
	b := newBed(t)
	b.rule(`default = "deny"
timezone = "Europe/Oslo"
[groups]
gate = ["k1", "k3"]
[[rule]]
name = "banned"
action = "deny"
subjects = ["UN:NO-9578-4050-900000001"]
[[rule]]
name = "gate-at-night"
action = "deny"
groups = ["gate"]
hours = ["22:00-06:00"]
[[rule]]
name = "not-here"
action = "deny"
kiosks = ["k2"]
`)
	var log bytes.Buffer
	cfg, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Conn = b.conn
	h, err := Open(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	if !strings.Contains(log.String(), "kiosks let in more offline than online") {
		t.Errorf("the hub does not warn: %s", &log)
	}
	p, err := h.policyFor(t.Context(), "k1")
	if err != nil {
		t.Fatal(err)
	}
	jws, _, err := hubpolicy.Sign(p, h.config.Sign)
	if err != nil {
		t.Fatal(err)
	}
	if p, _, err = hubpolicy.Verify(jws, "k1", h.config.Sign.Public().Key); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Warnings, []hubpolicy.Warning{hubpolicy.WarnDefaultDeny}) {
		t.Errorf("the policy warns of %q", p.Warnings)
	}
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	noon, night := time.Date(2026, 3, 2, 12, 0, 0, 0, oslo), time.Date(2026, 3, 2, 23, 0, 0, 0, oslo)
	for _, tt := range []struct {
		subject string
		at      time.Time
		want    string
	}{
		{"UN:NO-9578-4050-900000001", noon, "banned"},
		{"UN:NO-9578-4050-900000002", noon, ""},
		{"UN:NO-9578-4050-900000002", night, "gate-at-night"},
	} {
		got := ""
		if rule := hubpolicy.Denies(p.Deny, p.Holders.Denied(hubpolicy.HashHolder(p.Holders.Salt, tt.subject)), "buypass-test", tt.at); rule != nil {
			got = rule.Name
		}
		if got != tt.want {
			t.Errorf("%s at %s: denied by %q, want %q", tt.subject, tt.at, got, tt.want)
		}
	}
	if len(p.Deny) != 2 {
		t.Errorf("the policy of k1 has %d deny rules, want 2", len(p.Deny))
	}
}
