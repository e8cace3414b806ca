package hub

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// connected opens a connection on which the hub has answered, and returns a function that
// waits until the hub closes it.
func (p *party) connected() (closed func()) {
	p.t.Helper()
	address := strings.TrimPrefix(p.url, "https://")
	conn, err := tls.Dial("tcp", address, p.tls)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%+v, %v", resp, err)
	}
	return func() { _, _ = answers.ReadByte() }
}

// accepts reports whether a hub answers the client, on a new connection.
func (p *party) accepts(url string) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.tls.Clone(), DisableKeepAlives: true}}
	resp, err := client.Get(url + "/healthz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &hubapi.Problem{Status: resp.StatusCode}
	}
	return nil
}

// A removal ends the connections of the identity at every hub, and no other ones.
func TestRemovalTakesEffectAtEveryHub(t *testing.T) {
	b := newBed(t)
	here, _ := b.serving()
	there, _ := b.serving()
	thief, office := b.kiosk(here, "k1"), b.consumer(here, "k1")
	var closed []func()
	for _, url := range []string{here, there} {
		closed = append(closed, thief.to(url).connected())
	}
	remaining := office.connected()
	ended := make(chan struct{})
	go func() { remaining(); close(ended) }()

	began := time.Now()
	if err := b.registry().remove(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}); err != nil {
		t.Fatal(err)
	}
	for _, wait := range closed {
		wait()
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the connections were closed after %v", took)
	}
	for _, url := range []string{here, there} {
		if err := thief.accepts(url); err == nil || !strings.Contains(err.Error(), "bad certificate") {
			t.Errorf("a new connection of the removed kiosk: %v", err)
		}
		if err := office.accepts(url); err != nil {
			t.Errorf("the consumer of the same name: %v", err)
		}
	}
	select {
	case <-ended:
		t.Error("the consumer's connection ended")
	default:
	}
}

// Adding a name again ends the older certificate, also on an open connection, and also
// after the name was removed.
func TestAddingAgainEndsTheOlderCertificate(t *testing.T) {
	b := newBed(t)
	url, _ := b.serving()
	id := hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}
	first := b.holder(url, id, true)
	closed := first.connected()
	second := b.holder(url, id, true)
	closed()
	if err := first.accepts(url); err == nil {
		t.Error("the older certificate is still accepted")
	}
	if err := second.accepts(url); err != nil {
		t.Error(err)
	}
	if err := b.registry().remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	third := b.holder(url, id, true)
	for who, p := range map[string]*party{"first": first, "second": second} {
		if err := p.accepts(url); err == nil {
			t.Errorf("the %s certificate is accepted again", who)
		}
	}
	if err := third.accepts(url); err != nil {
		t.Error(err)
	}
}

// A certificate that the hub's CA has signed is not enough.
func TestUnregisteredCertificateIsRefused(t *testing.T) {
	b := newBed(t)
	url, _ := b.serving()
	for _, id := range []hubapi.Identity{
		{Role: hubapi.RoleKiosk, Name: "k1"}, {Role: hubapi.RoleOperator, Name: "watch"}, {Role: "director", Name: "x"},
	} {
		if err := b.holder(url, id, false).accepts(url); err == nil || !strings.Contains(err.Error(), "bad certificate") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// After an update from a version without a registry, the clients of before go on: those
// with a bundle in the hub's folder, and those that connect with a certificate from before
// the registry.
func TestUpgrade(t *testing.T) {
	b := newBed(t)
	old := time.Now().Add(-48 * time.Hour)
	ca, err := readAuthority(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) (*x509.Certificate, *party) {
		p := b.holder("", hubapi.Identity{Role: hubapi.RoleKiosk, Name: name}, false)
		cert, err := ca.client(p.tls.Certificates[0].Leaf.PublicKey, old, maxLifetime, hubapi.Identity{Role: hubapi.RoleKiosk, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		p.tls.Certificates[0].Certificate, p.tls.Certificates[0].Leaf = [][]byte{cert.Raw}, cert
		return cert, p
	}
	newest, k1 := issue("k1")
	_, older := issue("k1") // its bundle was replaced; before the registry both were accepted
	_, away := issue("k2")  // its bundle was moved to the kiosk
	_, stolen := issue("k3")
	bundle := filepath.Join(b.dir, kiosksDir, "k1")
	if err := os.MkdirAll(bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeCertificate(filepath.Join(bundle, "kiosk.pem"), newest.Raw); err != nil {
		t.Fatal(err)
	}

	url, _ := b.serving()
	r := b.registry()
	if err := r.remove(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k3"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who string
		p   *party
		ok  bool
	}{
		{"the kiosk with a bundle", k1, true}, {"its older certificate", older, false},
		{"the kiosk without a bundle", away, true}, {"a kiosk that was removed", stolen, false},
	} {
		if err := tt.p.accepts(url); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.who, err)
		}
	}
	for _, name := range []string{"k1", "k2"} {
		e, _, err := r.get(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: name})
		if err != nil || len(e.Certificates) != 1 || e.Certificates[0].Source != adopted {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// The commands work while the hub runs, in another process or in this one.
func TestClientsWhileTheHubRuns(t *testing.T) {
	dir := newFolder(t)
	cfg, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, name := range []string{"k1", "k2"} {
		if _, err := AddKiosk(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RemoveClient(dir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}); err != nil {
		t.Fatal(err)
	}
	path, until, err := RenewClient(dir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	renewed, _, err := readCertificate(path)
	if err != nil || !renewed.NotAfter.Equal(until) {
		t.Errorf("%v, %v", err, until)
	}
	list, err := Clients(dir, hubapi.RoleKiosk)
	if err != nil || len(list) != 2 || list[0].State != Valid || list[0].Fingerprint != fingerprint(renewed.Raw) || list[1].State != Removed {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := os.Stat(filepath.Join(dir, kiosksDir, "k2")); !os.IsNotExist(err) {
		t.Errorf("the removed kiosk's bundle is still there: %v", err)
	}
}

// The hub opens a kiosk's events that are signed with the key of an earlier certificate,
// so that a kiosk with a new key loses none.
func TestEventsOfAnEarlierKey(t *testing.T) {
	b := newBed(t)
	url, _ := b.serving()
	k1 := b.kiosk(url, "k1")
	waiting := k1.events(2)
	again := b.holder(url, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}, true)
	if got, err := again.SendEvents(t.Context(), waiting); err != nil || got.Acknowledged != 2 {
		t.Errorf("acknowledged %d, %v", got.Acknowledged, err)
	}
	stranger := b.holder(url, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k2"}, true)
	if _, err := stranger.SendEvents(t.Context(), waiting); err == nil {
		t.Error("another kiosk may send them")
	}
}

// An identity has a bounded number of certificates. Those that may still be used stay.
func TestRegistryForgetsOldCertificates(t *testing.T) {
	now := time.Now()
	e := entry{}
	for i := range 3 * maxCertificates {
		e.end(now)
		e.add(certificateEntry{Fingerprint: string(rune('a' + i)), Issued: now, NotAfter: now.Add(defaultLifetime)})
	}
	if len(e.Certificates) != maxCertificates || e.current() != &e.Certificates[0] {
		t.Errorf("%d certificates", len(e.Certificates))
	}
	e = entry{}
	for range 2 * maxCertificates {
		e.add(certificateEntry{Issued: now, NotAfter: now.Add(defaultLifetime)})
	}
	if len(e.Certificates) != 2*maxCertificates {
		t.Errorf("%d certificates that have not ended", len(e.Certificates))
	}
}

// States that operators act on.
func TestClientStates(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		left time.Duration
		want State
	}{
		{hubapi.EndingSoon + time.Minute, Valid}, {hubapi.EndingSoon - time.Minute, Ending}, {time.Minute, Ending}, {-time.Minute, Expired},
	} {
		e := entry{Certificates: []certificateEntry{{NotAfter: now.Add(tt.left)}}}
		if got := describeClient("k1", e, now); got.State != tt.want {
			t.Errorf("%v left: %s, want %s", tt.left, got.State, tt.want)
		}
	}
	// The JSON of a removed client has no zero times.
	text, err := json.Marshal(describeClient("k1", entry{Removed: now}, now))
	if err != nil || slices.Contains(strings.Split(string(text), `"`), "not_after") {
		t.Errorf("%s, %v", text, err)
	}
}
