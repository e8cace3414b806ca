package firststart

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

func TestCause(t *testing.T) {
	address := []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	online := []network.Interface{{Name: "eth0", Up: true, Link: true, Addresses: address}}
	dns := &net.DNSError{Err: "no such host", IsNotFound: true}
	for name, tt := range map[string]struct {
		interfaces []network.Interface
		err        error
		want       kiosk.Setup
		detail     string
	}{
		"wrong hub":       {online, fmt.Errorf("cannot trust: %w", est.ErrWrongCA), kiosk.SetupCA, "hub.example"},
		"no open code":    {online, est.ErrClosed, kiosk.SetupCode, ""},
		"wrong code":      {online, fmt.Errorf("cannot enrol: %w", &hubapi.Problem{Status: 401}), kiosk.SetupCode, ""},
		"used code":       {online, &hubapi.Problem{Status: 403}, kiosk.SetupCode, ""},
		"hub has trouble": {online, &hubapi.Problem{Status: 503}, kiosk.SetupHub, "hub.example"},
		"clock":           {online, fmt.Errorf("tls: %w", x509.CertificateInvalidError{Reason: x509.Expired}), kiosk.SetupClock, ""},
		"no cable":        {[]network.Interface{{Name: "wlan0"}, {Name: "eth0", Up: true}}, dns, kiosk.SetupCable, "eth0"},
		"no Wi-Fi":        {[]network.Interface{{Name: "wlan0"}}, dns, kiosk.SetupCable, "wlan0"},
		"no adapter":      {nil, dns, kiosk.SetupCable, "LAN"},
		"no address":      {[]network.Interface{{Name: "wlan0"}, {Name: "eth0", Up: true, Link: true}}, dns, kiosk.SetupAddress, "eth0"},
		"no name":         {online, fmt.Errorf("dial: %w", dns), kiosk.SetupDNS, "hub.example"},
		"no answer":       {online, errors.New("connection refused"), kiosk.SetupHub, "hub.example"},
	} {
		s := Start{Interfaces: func() ([]network.Interface, error) { return tt.interfaces, nil }}
		if what, detail := s.cause("https://hub.example:8443", tt.err); what != tt.want || detail != tt.detail {
			t.Errorf("%s: %q %q, want %q %q", name, what, detail, tt.want, tt.detail)
		}
	}
	s := Start{Interfaces: func() ([]network.Interface, error) { return nil, nil }}
	if what, _ := s.cause("https://127.0.0.1:8443", errors.New("connection refused")); what != kiosk.SetupHub {
		t.Errorf("a hub on this machine: %q", what)
	}
}

func TestMistake(t *testing.T) {
	for text, want := range map[string]string{
		"hub = 'https://h'\nbord = 'x'":              "line 2: bord",
		"hub = 'https://h'\n\nlanguage = 3":          "line 3",
		"hub = https://h":                            "line 1",
		"":                                           "hub",
		"hub = 'x'":                                  "hub",
		"hub = 'https://h'\nlanguage = 'tlh'":        "language",
		"hub = 'https://h'\nboard = '/etc/x'":        "board",
		"hub = 'https://h'\n[panel]\nboard = 'blue'": "line 2: panel",
	} {
		_, err := bootfiles.ParseSettings([]byte(text))
		if err == nil {
			t.Fatalf("%q is accepted", text)
		}
		if got := mistake(fmt.Errorf("kiosk.toml: %w", err)); got != want {
			t.Errorf("%q: %v: %q, want %q", text, err, got, want)
		}
	}
	if got := mistake(errors.New(`board "x" cannot be used: open x: no such file`)); got != "board" {
		t.Errorf("%q", got)
	}
	if got := mistake(errors.New("kiosk.toml is not a small file")); got != "kiosk.toml" {
		t.Errorf("%q", got)
	}
}
