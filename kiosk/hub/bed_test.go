package hub

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/webeid"
)

// origin is the URL of every hub in the tests, and the origin for which cards sign. The
// hubs listen on other ports.
const origin = "https://127.0.0.1:8443"

// testCards returns the test cards, which are made once.
var testCards = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(time.Now()) })

func cards(t testing.TB) *testpki.PKI {
	t.Helper()
	pki, err := testCards()
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

// newFolder makes a hub's folder that trusts the test cards.
func newFolder(t testing.TB) (dir string) {
	t.Helper()
	trusted := filepath.Join(t.TempDir(), "pki")
	dir = filepath.Join(t.TempDir(), "hub")
	if err := cards(t).Write(trusted); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir, InitOptions{Listen: "127.0.0.1:8443", URL: origin, Trust: trusted, Offline: hubpolicy.Trusted}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bed is a JetStream on which a test can start several hubs.
type bed struct {
	t        testing.TB
	dir      string
	conn     *nats.Conn
	replicas int

	clock sync.Mutex
	ahead time.Duration
}

func newBed(t testing.TB) *bed {
	t.Helper()
	store, err := startEmbedded(t.TempDir(), byHub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.close)
	return &bed{t: t, dir: newFolder(t), conn: store.conn}
}

func (b *bed) now() time.Time {
	b.clock.Lock()
	defer b.clock.Unlock()
	return time.Now().Add(b.ahead)
}

// advance sets the hubs' clocks forward.
func (b *bed) advance(d time.Duration) {
	b.clock.Lock()
	defer b.clock.Unlock()
	b.ahead += d
}

// open starts another hub on the bed's JetStream.
func (b *bed) open() *Hub {
	b.t.Helper()
	cfg, err := Load(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.Conn, cfg.Now = b.conn, b.now
	h, err := Open(b.t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.Close)
	return h
}

// serve starts another hub and returns its URL. Every request and answer is checked against
// the OpenAPI document.
func (b *bed) serve() (url string) {
	b.t.Helper()
	h := b.open()
	_, router := document(b.t)
	srv := httptest.NewUnstartedServer(againstDocument(b.t, router, h.Handler()))
	srv.TLS = h.tls()
	srv.TLS.ClientAuth = tls.VerifyClientCertIfGiven // the handlers must not rely on it
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	b.t.Cleanup(srv.Close)
	return srv.URL
}

// party is a client: a kiosk, a consumer or another holder of a certificate.
type party struct {
	*hubapi.Client
	t    testing.TB
	id   string
	key  crypto.Signer
	tls  *tls.Config
	url  string
	seal *event.Sealer

	sealTo *jose.JSONWebKey

	epoch    string // of the kiosk's last event; "" for a kiosk of an older version
	sequence uint64
	link     []byte
}

func (b *bed) kiosk(url, id string) *party {
	b.t.Helper()
	bundle, err := addKiosk(b.dir, id, nil, b.registering)
	if err != nil {
		b.t.Fatal(err)
	}
	p := b.party(url, bundle, "kiosk")
	p.sealTo = readJWK(b.t, filepath.Join(bundle, "hub-seal.jwk"))
	if p.seal, err = event.NewSealer(id, p.key, p.sealTo); err != nil {
		b.t.Fatal(err)
	}
	return p
}

func readJWK(t testing.TB, path string) *jose.JSONWebKey {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	return &key
}

// privateSeal returns the newest sealing key.
func (b *bed) privateSeal() *jose.JSONWebKey {
	b.t.Helper()
	keys, err := sealkey.ReadPrivate(filepath.Join(b.dir, sealFile))
	if err != nil {
		b.t.Fatal(err)
	}
	return &keys[0].JSONWebKey
}

func (b *bed) publicSeal() *jose.JSONWebKey {
	public := b.privateSeal().Public()
	return &public
}

func (b *bed) consumer(url, name string) *party {
	b.t.Helper()
	bundle, err := addClient(b.dir, hubapi.Identity{Role: hubapi.RoleConsumer, Name: name}, nil, b.registering, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.party(url, bundle, "consumer")
}

func (b *bed) party(url, bundle, name string) *party {
	b.t.Helper()
	c, err := hubapi.LoadCredentials(
		filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, name+".pem"), filepath.Join(bundle, name+".key"))
	if err != nil {
		b.t.Fatal(err)
	}
	return &party{Client: hubapi.NewClient(url, c.TLS), t: b.t, id: c.Identity.Name, key: c.Key, tls: c.TLS, url: url}
}

// operator has a certificate of the role that may only ask for the hub's health.
func (b *bed) operator(url, name string) *party {
	b.t.Helper()
	return b.holder(url, hubapi.Identity{Role: hubapi.RoleOperator, Name: name}, true)
}

// holder has a certificate of the hub's CA, which is registered or not.
func (b *bed) holder(url string, id hubapi.Identity, registered bool) *party {
	b.t.Helper()
	cert, key := b.issue(id)
	if registered {
		b.register(id, cert, true)
	}
	ca, _, err := readCertificate(filepath.Join(b.dir, caFile))
	if err != nil {
		b.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	config := &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}},
	}
	return &party{Client: hubapi.NewClient(url, config), t: b.t, id: id.Name, key: key, tls: config, url: url}
}

func (b *bed) issue(id hubapi.Identity) (cert *x509.Certificate, key *ecdsa.PrivateKey) {
	b.t.Helper()
	ca, err := readAuthority(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	if key, err = newKey(); err != nil {
		b.t.Fatal(err)
	}
	if cert, err = ca.client(key.Public(), time.Now(), defaultLifetime, id); err != nil {
		b.t.Fatal(err)
	}
	return cert, key
}

func (b *bed) jetStream() jetstream.JetStream {
	b.t.Helper()
	js, err := openJetStream(b.conn, b.replicas)
	if err != nil {
		b.t.Fatal(err)
	}
	return js
}

// registry opens the registry of the bed's JetStream.
func (b *bed) registry() *registry {
	b.t.Helper()
	r, err := openRegistry(b.t.Context(), b.jetStream(), b.dir, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// registering is a withRegistry.
func (b *bed) registering(f func(ctx context.Context, r *registry) error) error {
	return f(b.t.Context(), b.registry())
}

// register registers a certificate; see registry.register.
func (b *bed) register(id hubapi.Identity, cert *x509.Certificate, replace bool) {
	b.t.Helper()
	if err := b.registry().register(b.t.Context(), id, cert, fromBundle, replace); err != nil {
		b.t.Fatal(err)
	}
}

// get returns what a browser or another program gets from the hub at url.
func (p *party) get(url string) (resp *http.Response, text string) {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: p.tls.Clone()}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

// to returns the same party as a client of another hub.
func (p *party) to(url string) *party {
	other := *p
	other.Client, other.url = hubapi.NewClient(url, p.tls), url
	return &other
}

// withKey returns the same kiosk with a new key.
func (p *party) withKey(cert *x509.Certificate, key *ecdsa.PrivateKey) *party {
	p.t.Helper()
	var err error
	replaced := *p
	replaced.key, replaced.tls = key, p.tls.Clone()
	replaced.tls.GetClientCertificate = nil
	replaced.tls.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}}
	replaced.Client = hubapi.NewClient(p.url, replaced.tls)
	if replaced.seal, err = event.NewSealer(p.id, key, p.sealTo); err != nil {
		p.t.Fatal(err)
	}
	return &replaced
}

// events seals the kiosk's next n events.
func (p *party) events(n int) (batch []json.RawMessage) {
	p.t.Helper()
	for range n {
		id, err := event.NewID(time.Now(), rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		sealed, link, err := p.seal.Seal(event.Header{
			ID: id, Kiosk: p.id, Epoch: p.epoch, Sequence: p.sequence + 1, Type: event.TypeVisit, Time: time.Now(),
			BootID: "b0", Uptime: time.Minute, ClockTrusted: true, Prev: p.link,
		}, event.Visit{Visit: id, Outcome: kiosk.Cancelled, Reason: kiosk.ByHolder})
		if err != nil {
			p.t.Fatal(err)
		}
		p.sequence, p.link = p.sequence+1, link
		batch = append(batch, sealed)
	}
	return batch
}

// send sends events, all of which the hub must accept.
func (p *party) send(batch []json.RawMessage, acknowledged uint64) {
	p.t.Helper()
	got, err := p.SendEvents(p.t.Context(), batch)
	if err != nil || got.Acknowledged != acknowledged {
		p.t.Fatalf("sent %d events: acknowledged %d, %v; want %d", len(batch), got.Acknowledged, err, acknowledged)
	}
}

// pull pulls a consumer's feed and returns each event as "kiosk/sequence".
func (p *party) pull(max int, wait time.Duration) (places []string, cursor string) {
	p.t.Helper()
	events, cursor, err := p.Feed(p.t.Context(), p.id, max, wait)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.places(events), cursor
}

// places returns each event as "kiosk/sequence".
func (p *party) places(events []json.RawMessage) (places []string) {
	p.t.Helper()
	for _, text := range events {
		places = append(places, place(p.t, text))
	}
	return places
}

func place(t testing.TB, text json.RawMessage) string {
	t.Helper()
	var e struct{ Source, Sequence string }
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(e.Source, "urn:smartkiosk:kiosk:") + "/" + strings.TrimLeft(e.Sequence, "0")
}

func (p *party) ack(cursor string) {
	p.t.Helper()
	if err := p.AckFeed(p.t.Context(), p.id, cursor); err != nil {
		p.t.Fatal(err)
	}
}

// nonce requests a challenge.
func (p *party) nonce() string {
	p.t.Helper()
	c, err := p.Challenge(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return c.Nonce
}

// token returns the token that a test card makes for a nonce.
func token(t testing.TB, card, nonce string) []byte {
	t.Helper()
	c := cards(t).Holders[card].Authentication
	out, err := webeid.Sign(c.Key, c.Certificate.Raw, origin, nonce)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// verdict requests a verdict and fails the test if there is an error.
func (p *party) verdict(ctx context.Context, nonce string, token []byte) kiosk.Verdict {
	p.t.Helper()
	v, err := p.Authenticate(ctx, "visit-1", nonce, token)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}
