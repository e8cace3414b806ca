package firststart

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"smartkiosk/cmd/internal/enrol"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// cause returns what a failed attempt to enrol means, and what it is about.
func (s Start) cause(hub string, err error) (kiosk.Setup, string) {
	host := hub
	if u, err := url.Parse(hub); err == nil {
		host = u.Hostname()
	}
	if errors.Is(err, est.ErrWrongCA) {
		return kiosk.SetupCA, host
	}
	if _, is := errors.AsType[*enrol.OtherKioskError](err); is || errors.Is(err, est.ErrClosed) {
		return kiosk.SetupCode, ""
	}
	if p, is := errors.AsType[*hubapi.Problem](err); is && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		return kiosk.SetupCode, ""
	}
	if c, is := errors.AsType[x509.CertificateInvalidError](err); is && c.Reason == x509.Expired {
		return kiosk.SetupClock, ""
	}
	if what, name := s.offline(host); what != kiosk.SetupRunning {
		return what, name
	}
	if _, is := errors.AsType[*net.DNSError](err); is {
		return kiosk.SetupDNS, host
	}
	return kiosk.SetupHub, host
}

// offline returns why this machine has no network, or SetupRunning.
func (s Start) offline(host string) (kiosk.Setup, string) {
	if host == "localhost" || net.ParseIP(host).IsLoopback() {
		return kiosk.SetupRunning, ""
	}
	interfaces, err := s.Interfaces()
	if err != nil || len(interfaces) == 0 {
		return kiosk.SetupCable, "LAN"
	}
	var silent, without []network.Interface
	for _, i := range interfaces {
		switch {
		case i.Link && len(i.Addresses) > 0:
			return kiosk.SetupRunning, ""
		case i.Link:
			without = append(without, i)
		default:
			silent = append(silent, i)
		}
	}
	if len(without) > 0 {
		return kiosk.SetupAddress, wired(without)
	}
	return kiosk.SetupCable, wired(silent)
}

// wired returns the name of the first interface with a cable, or of the first one.
func wired(all []network.Interface) string {
	for _, i := range all {
		if strings.HasPrefix(i.Name, "e") {
			return i.Name
		}
	}
	return all[0].Name
}

var (
	atLine  = regexp.MustCompile(`line (\d+)`)
	aKey    = regexp.MustCompile(`unknown key "([^"]+)"`)
	leading = regexp.MustCompile(`^(?:kiosk\.toml: )?([a-z.]+) (?:is|"|cannot)`)
)

// mistake returns the line and the key of a mistake in kiosk.toml, as far as the error
// names them, short enough for a display.
func mistake(err error) string {
	text := err.Error()
	var parts []string
	if m := atLine.FindStringSubmatch(text); m != nil {
		parts = append(parts, "line "+m[1])
	}
	if m := aKey.FindStringSubmatch(text); m != nil {
		parts = append(parts, m[1])
	} else if m := leading.FindStringSubmatch(text); m != nil {
		parts = append(parts, m[1])
	}
	if len(parts) == 0 {
		return "kiosk.toml"
	}
	return strings.Join(parts, ": ")
}
