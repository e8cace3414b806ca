//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// hubAddress returns host and port of the configured hub.
func (d *doctor) hubAddress() (host, port string) {
	u, err := url.Parse(d.settings.Hub.URL) // config.Load has checked it
	if err != nil {
		return "", ""
	}
	if port = u.Port(); port == "" {
		port = "443"
	}
	return u.Hostname(), port
}

func (d *doctor) network(context.Context) diagnosis {
	if d.settings != nil {
		if host, _ := d.hubAddress(); host == "localhost" || net.ParseIP(host).IsLoopback() {
			return diagnose(stateOK, "not needed: the hub is on this machine")
		}
	}
	interfaces, err := d.interfaces()
	if err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	if len(interfaces) == 0 {
		return diagnose(stateFailed, "this machine has no network interface").Advise("is the network adapter plugged in? dmesg shows why the kernel does not see it")
	}
	var without, silent []string
	for _, i := range interfaces {
		switch {
		case len(i.Addresses) > 0 && i.Link:
			return d.route(fmt.Sprintf("%s has %s", i.Name, i.Addresses[0]))
		case i.Link:
			without = append(without, i.Name)
		default:
			silent = append(silent, i.Name)
		}
	}
	if len(without) > 0 {
		return diagnose(stateFailed, "%s is connected but has no address", strings.Join(without, ", ")).Advise("the network gives it none (DHCP): is it the right socket in the wall? ask the network's operator whether this machine is let in")
	}
	advice := "plug in the cable, and look at the lights of the socket"
	if strings.HasPrefix(silent[0], "wl") {
		advice = "check name and password of the Wi-Fi, and whether it reaches this place"
	}
	return diagnose(stateFailed, "%s is not connected", strings.Join(silent, ", ")).Advise("%s", advice)
}

// route looks for a default route in the kernel's tables (proc_net(5)).
func (d *doctor) route(address string) diagnosis {
	for line := range strings.Lines(d.machine.read("proc/net/route")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "00000000" {
			return diagnose(stateOK, "%s, a gateway on %s", address, fields[0])
		}
	}
	for line := range strings.Lines(d.machine.read("proc/net/ipv6_route")) {
		if fields := strings.Fields(line); len(fields) > 9 && fields[1] == "00" && fields[9] != "lo" {
			return diagnose(stateOK, "%s, a gateway on %s", address, fields[9])
		}
	}
	return diagnose(stateWarning, "%s, but there is no gateway: only the local network can be reached", address).Advise("ask the network's operator for the gateway's address")
}

func (d *doctor) dns(ctx context.Context) diagnosis {
	host, _ := d.hubAddress()
	if net.ParseIP(host) != nil {
		return diagnose(stateOK, "not needed: hub.url has an address")
	}
	addresses, err := d.resolve(ctx, host)
	if failure, isDNS := errors.AsType[*net.DNSError](err); isDNS && failure.IsNotFound {
		return diagnose(stateFailed, "there is no name %s", host).Advise("is hub.url in %s right?", d.config)
	}
	if err != nil {
		return diagnose(stateFailed, "cannot look up %s: %v", host, err).Advise("/etc/resolv.conf has the name servers: are they reachable?")
	}
	return diagnose(stateOK, "%s is %s", host, strings.Join(addresses, ", "))
}

func (d *doctor) hub(ctx context.Context) diagnosis {
	host, port := d.hubAddress()
	address := net.JoinHostPort(host, port)
	conn, err := d.dial(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return diagnose(stateFailed, "%s answers, but nothing listens on port %s", host, port).Advise("does the hub run? is the port in hub.url right?")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return diagnose(stateFailed, "there is no way to %s: %v", address, err).Advise("ask the network's operator: the gateway does not forward to the hub")
	case err != nil:
		return diagnose(stateFailed, "%s does not answer: %v", address, err).Advise("does a firewall block port %s? does the hub's machine run?", port)
	}
	_ = conn.Close()
	return diagnose(stateOK, "%s accepts connections", address)
}

// clockDifference is how far the hub's clock may differ from ours.
const clockDifference = 5 * time.Minute

// tls asks the hub for its health, with the kiosk's certificate.
func (d *doctor) tls(ctx context.Context) diagnosis {
	settings := d.credentials.TLS.Clone()
	settings.Time = d.machine.now
	client := http.Client{Transport: &http.Transport{TLSClientConfig: settings, DialContext: d.dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.settings.Hub.URL+"/healthz", nil)
	if err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return d.tlsFailure(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return diagnose(stateFailed, "the hub's answer breaks off: %v", err).Advise("try again; a bad line?")
	}
	if answer.StatusCode != http.StatusOK {
		return diagnose(stateFailed, "the hub answers %s", answer.Status).Advise("tell the operator: the hub is not healthy (its log says why)")
	}
	if theirs, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		if off := d.machine.now().Sub(theirs).Round(time.Second); off.Abs() > clockDifference {
			return diagnose(stateWarning, "the hub answers, but its clock and ours are %s apart", off.Abs()).Advise("timedatectl shows whether a time server sets this machine's clock")
		}
	}
	var health hubapi.Health
	if err := json.Unmarshal(body, &health); err == nil && health.Rules == hubapi.RulesStale {
		return diagnose(stateWarning, "the hub answers, but cannot use its newest rules").Advise("tell the operator: kioskhub rules check says what is wrong with them")
	}
	return diagnose(stateOK, "the hub answers, and accepts the kiosk's certificate")
}

// tlsFailure says what a failed handshake means.
func (d *doctor) tlsFailure(err error) diagnosis {
	if other, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		issuer := ""
		if other.Cert != nil {
			issuer = fmt.Sprintf(" (%s)", other.Cert.Issuer)
		}
		return diagnose(stateFailed, "the hub's certificate is of another CA%s", issuer).Advise("is %s this hub's? does something in the network open TLS connections?", d.settings.Hub.CA)
	}
	if _, is := errors.AsType[x509.HostnameError](err); is {
		return diagnose(stateFailed, "the hub's certificate is for another name: %v", err).Advise("is hub.url in %s the one that the operator uses?", d.config)
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is {
		return diagnose(stateFailed, "the hub's certificate is not valid: %v", invalid).Advise("is this machine's clock right? else tell the operator")
	}
	// crypto/tls reports an alert of the other side in this way.
	if alert, is := errors.AsType[*net.OpError](err); is && alert.Op == "remote error" {
		return diagnose(stateFailed, "the hub refuses the kiosk's certificate: %v", alert.Err).Advise("ask the operator whether this kiosk is still enrolled; another machine may have its identity")
	}
	return diagnose(stateFailed, "no TLS connection: %v", err).Advise("does something in the network block TLS?")
}

// expirySoon is how long before its end a certificate deserves attention.
const expirySoon = 30 * 24 * time.Hour

func (d *doctor) certificate(context.Context) diagnosis {
	const again = "ask the operator for a code (kioskhub codes new), then: sudo kioskctl enrol --hub URL --dir /etc/smartkiosk"
	credentials, device, err := d.openCredentials(d.settings)
	if err != nil {
		return diagnose(stateFailed, "%v", err).Advise("run doctor as root; else copy the kiosk's files from the hub again")
	}
	d.credentials, d.device = credentials, device
	leaf := credentials.TLS.Certificates[0].Leaf
	left := leaf.NotAfter.Sub(d.machine.now())
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return diagnose(stateFailed, "the certificate of %s expired on %s", credentials.Identity.Name, until).Advise(again)
	case left < expirySoon:
		return diagnose(stateWarning, "the certificate of %s ends in %d days, on %s", credentials.Identity.Name, int(left.Hours()/24), until).Advise(again)
	}
	return diagnose(stateOK, "%s, until %s", credentials.Identity.Name, until)
}
