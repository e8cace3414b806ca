package terminal_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/document"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
	"smartkiosk/kiosk/terminal"
)

const origin = "https://hub.example"

// rig is a terminal in which everything else is a fake. The fakes record their calls
// in the diary, in order.
type rig struct {
	t     *testing.T
	slot  fakeSlot
	keys  chan rune
	hub   fakeHub
	card  *fakeCard
	pki   *testpki.PKI
	stop  context.CancelFunc
	ended chan error

	mu         sync.Mutex
	log        bytes.Buffer
	diary      []string
	screen     kiosk.Screen
	records    []kiosk.Record
	reports    []kiosk.RecordShown
	commits    int
	slowDisk   <-chan struct{} // nil, or closed when the disk answers
	recordErrs []error         // errors of the first calls, in order; later calls succeed
}

type fakeSlot struct {
	states chan kiosk.Event
	rig    *rig
}

func (s *fakeSlot) Watch(context.Context) <-chan kiosk.Event { return s.states }

func (s *fakeSlot) Open(context.Context, string) (terminal.Card, error) { return s.rig.card, nil }

// fakeCard has the certificates and the key of the test PKI's valid card.
type fakeCard struct {
	rig     *rig
	pin     string
	hang    bool          // VerifyPIN does not return before its context ends
	pad     chan padEntry // entries on the reader's keys; nil if it has no keys
	seen    []byte
	blocked bool   // the PIN has no tries left
	proof   []byte // old PIN or PUK
	certs   [][]byte
	once    [][]byte // the cached certificates, returned once; nil for no cache
	cas     [][]byte
	signer  crypto.Signer

	signCerts [][]byte
	signKey   crypto.Signer
}

func (c *fakeCard) Certificates(context.Context) ([][]byte, error) {
	if remembered := c.once; remembered != nil {
		c.once = nil
		return remembered, nil
	}
	return c.certs, nil
}

func (c *fakeCard) Authorities(context.Context) ([][]byte, error) {
	c.rig.note("authorities read")
	return c.cas, nil
}

func (c *fakeCard) PINStatus(context.Context, int) (kiosk.PINStatus, error) {
	tries := 3
	if c.blocked {
		tries = 0
	}
	return kiosk.PINStatus{Min: 4, Max: 4, Tries: tries, TriesKnown: true, OnReader: c.pad != nil}, nil
}

// padEntry is what the holder does on the reader's keys.
type padEntry struct {
	pin string
	err error // in place of a PIN
}

func (c *fakeCard) VerifyPINOnPad(ctx context.Context, certificate int) error {
	c.rig.note("reader asks")
	select {
	case e := <-c.pad:
		if e.err != nil {
			return e.err
		}
		return c.VerifyPIN(ctx, certificate, []byte(e.pin))
	case <-ctx.Done():
		c.rig.note("reader given up")
		return ctx.Err()
	}
}

func (c *fakeCard) VerifyPIN(ctx context.Context, _ int, pin []byte) error {
	c.seen = pin
	if c.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if string(pin) != c.pin {
		return &terminal.PINError{Status: kiosk.PINStatus{Tries: 2, TriesKnown: true}}
	}
	return nil
}

func (c *fakeCard) Signer(context.Context, int) (crypto.Signer, error) { return c.signer, nil }

func (c *fakeCard) Services(context.Context, int) (kiosk.CardServices, error) {
	return kiosk.CardServices{Change: kiosk.AtKiosk, Unblock: kiosk.AtKiosk, PUKMin: 8, PUKMax: 8}, nil
}

func (c *fakeCard) ChangePIN(_ context.Context, _ int, old, new []byte) error {
	c.proof, c.seen = old, new
	if string(old) != c.pin {
		return &terminal.PINError{Status: kiosk.PINStatus{Tries: 2, TriesKnown: true}}
	}
	c.pin = string(new)
	return nil
}

func (c *fakeCard) UnblockPIN(_ context.Context, _ int, puk, new []byte) error {
	c.proof, c.seen = puk, new
	if string(puk) != "12345678" {
		return &terminal.PINError{Status: kiosk.PINStatus{Tries: 9, TriesKnown: true}}
	}
	c.pin = string(new)
	return nil
}

func (c *fakeCard) Signing() terminal.SigningCard { return fakeSigning{c} }

// fakeSigning has the certificate for signatures of the test PKI's valid card, and a PIN of
// its own.
type fakeSigning struct{ card *fakeCard }

func (s fakeSigning) Certificates(context.Context) ([][]byte, error) {
	s.card.rig.note("signature certificate read")
	return s.card.signCerts, nil
}

func (s fakeSigning) PINStatus(context.Context, int) (kiosk.PINStatus, error) {
	return kiosk.PINStatus{Min: 6, Max: 6, Tries: 3, TriesKnown: true}, nil
}

func (s fakeSigning) VerifyPIN(_ context.Context, _ int, pin []byte) error {
	s.card.seen = pin
	if string(pin) != "654321" {
		return &terminal.PINError{Status: kiosk.PINStatus{Tries: 2, TriesKnown: true}}
	}
	return nil
}

func (s fakeSigning) Signer(context.Context, int) (crypto.Signer, error) { return s.card.signKey, nil }

func (c *fakeCard) Close() error { c.rig.note("card closed"); return nil }

type fakeHub struct {
	rig     *rig
	hang    bool  // no request is answered before its context ends
	down    bool  // no connection can be made
	err     error // of each request
	within  float64
	nonce   string
	verdict kiosk.Verdict
	token   []byte // as received
	phone   fakeLogin

	documents map[string]string  // by ID
	hash      string             // in the list, in place of the document's
	kind      kiosk.DocumentKind // of all
	handedIn  []hubapi.SignatureRequest
	answer    hubapi.SignatureAnswer
}

func (h *fakeHub) Challenge(ctx context.Context) (hubapi.Challenge, error) {
	if err := h.fails(ctx); err != nil {
		return hubapi.Challenge{}, err
	}
	return hubapi.Challenge{Nonce: h.nonce, VerdictWithin: h.within}, nil
}

func (h *fakeHub) Authenticate(ctx context.Context, _, _ string, token []byte) (kiosk.Verdict, error) {
	h.token = token
	if err := h.fails(ctx); err != nil {
		return kiosk.Verdict{}, err
	}
	return h.verdict, nil
}

// BeginLogin and the next three are about a login by phone; see phone_test.go.
func (h *fakeHub) BeginLogin(ctx context.Context, visit, language string) (hubapi.Login, error) {
	if err := h.fails(ctx); err != nil {
		return hubapi.Login{}, err
	}
	h.rig.note("login begun in " + language)
	return h.phone.get(), nil
}

func (h *fakeHub) WaitForLogin(ctx context.Context, id string, since kiosk.PhoneState, wait time.Duration) (hubapi.Login, error) {
	return h.phone.wait(ctx, since, wait)
}

func (h *fakeHub) TypeDigits(ctx context.Context, id, digits string) (hubapi.Login, error) {
	return h.phone.typed(ctx, digits)
}

func (h *fakeHub) BeginPageLogin(ctx context.Context, visit, language string) (hubapi.Login, error) {
	if err := h.fails(ctx); err != nil {
		return hubapi.Login{}, err
	}
	h.rig.note("page login begun in " + language)
	return h.phone.get(), nil
}

func (h *fakeHub) AnswerLogin(ctx context.Context, id, query string) (hubapi.Login, error) {
	if err := h.fails(ctx); err != nil {
		return hubapi.Login{}, err
	}
	h.rig.note("login " + id + " answered with " + query)
	return h.phone.get(), nil
}

func (h *fakeHub) CancelLogin(_ context.Context, id string) error {
	h.rig.note("login " + id + " cancelled")
	return h.phone.cancelErr
}

func (h *fakeHub) Documents(ctx context.Context, ticket string) (list []kiosk.DocumentInfo, err error) {
	if err := h.fails(ctx); err != nil || ticket != "ticket" {
		return nil, err
	}
	for id, text := range h.documents {
		list = append(list, kiosk.DocumentInfo{ID: id, Title: "Order", Kind: cmp.Or(h.kind, kiosk.TextDocument), Hash: cmp.Or(h.hash, document.Hash([]byte(text)))})
	}
	return list, nil
}

func (h *fakeHub) Document(ctx context.Context, _, id string) ([]byte, error) {
	text, ok := h.documents[id]
	if !ok {
		return nil, &hubapi.Problem{Type: hubapi.KindNotFound, Status: 404}
	}
	return []byte(text), h.fails(ctx)
}

func (h *fakeHub) HandIn(ctx context.Context, r hubapi.SignatureRequest) (hubapi.SignatureAnswer, error) {
	h.handedIn = append(h.handedIn, r)
	return h.answer, h.fails(ctx)
}

func (h *fakeHub) Reach(context.Context) error {
	if h.down {
		return errors.New("no route to host")
	}
	return nil
}

func (h *fakeHub) fails(ctx context.Context) error {
	if h.hang {
		<-ctx.Done()
		h.rig.note("request cancelled")
		return ctx.Err()
	}
	return h.err
}

func (r *rig) Write(_ context.Context, entries ...kiosk.Entry) error {
	if r.slowDisk != nil {
		<-r.slowDisk
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recordErrs) > 0 {
		err := r.recordErrs[0]
		r.recordErrs = r.recordErrs[1:]
		r.diary = append(r.diary, "record failed")
		return err
	}
	r.commits++
	for _, e := range entries {
		switch e := e.(type) {
		case kiosk.Record:
			r.records = append(r.records, e)
			r.diary = append(r.diary, "record "+string(e.Outcome))
		case kiosk.RecordShown:
			r.reports = append(r.reports, e)
		}
	}
	return nil
}

func (r *rig) Show(s kiosk.Screen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.screen = s
	r.diary = append(r.diary, "show "+string(s.ID))
}

func (r *rig) Sound(kiosk.Cue)   {}
func (r *rig) OpenDoor()         { r.note("door") }
func (r *rig) Keys() <-chan rune { return r.keys }

func (r *rig) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.diary = append(r.diary, what)
}

// decider grants access to all holders of a certificate of the domains, or denies
// everybody.
type decider struct {
	domains *trust.Domains
	never   bool
	granted []kiosk.Holder
}

func (d *decider) Choose(certs [][]byte, authorities ...[]byte) (trust.Choice, error) {
	return d.domains.Choose(certs, time.Now(), authorities...)
}

func (d *decider) ChooseSignature(certs [][]byte) (trust.Choice, error) {
	return d.domains.ChooseFor(trust.Sign, certs, time.Now())
}

func (d *decider) Decide(ctx context.Context, _ string, token []byte, nonce string) kiosk.Verdict {
	v := kiosk.Verdict{Offline: true, Reason: kiosk.OfflineNever, Basis: kiosk.Basis{Rules: "rules-7"}}
	if !d.never {
		validator := webeid.Validator{Origin: origin, Domains: d.domains}
		if holder, err := validator.Validate(ctx, token, nonce, time.Now()); err == nil {
			v.Granted, v.Reason, v.Holder = true, "", holder
		}
	}
	return v
}

func (d *decider) Prepare(kiosk.Holder) {}

func (d *decider) RecordGrant(h kiosk.Holder) { d.granted = append(d.granted, h) }

// testPKI makes the cards once, because their keys take seconds. Its certificates are
// valid at the time at which every bubble begins.
var testPKI = sync.OnceValues(func() (*testpki.PKI, error) {
	return testpki.New(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
})

// start runs a terminal inside a synctest bubble. change may first change the fakes
// and the terminal.
func start(t *testing.T, change func(*rig, *terminal.Terminal)) *rig {
	t.Helper()
	pki, err := testPKI()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := pki.Write(dir); err != nil {
		t.Fatal(err)
	}
	domains, err := trust.Load(filepath.Join(dir, "trust.toml"))
	if err != nil {
		t.Fatal(err)
	}
	holder := pki.Holders["valid"]
	r := &rig{t: t, pki: pki, keys: make(chan rune), ended: make(chan error, 1)}
	r.slot = fakeSlot{states: make(chan kiosk.Event), rig: r}
	r.hub = fakeHub{rig: r, nonce: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		verdict: kiosk.Verdict{Granted: true, Holder: kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Ola"}}}
	r.card = &fakeCard{rig: r, pin: "1234", signer: holder.Authentication.Key,
		certs:     [][]byte{holder.Signature.Certificate.Raw, holder.Authentication.Certificate.Raw},
		signCerts: [][]byte{holder.Signature.Certificate.Raw}, signKey: holder.Signature.Key}
	term := &terminal.Terminal{
		Slot: &r.slot, Panel: r, Hub: &r.hub, Logins: &r.hub, Journal: r, Decider: &decider{domains: domains}, Origin: origin,
		Config: kiosk.Config{Languages: []string{"nb", "en"}, Timing: kiosk.DefaultTiming},
		Now:    time.Now, Log: slog.New(slog.NewTextHandler(logWriter{r}, nil)),
	}
	if change != nil {
		change(r, term)
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.ended <- term.Run(ctx) }()
	synctest.Wait()
	return r
}

// cardIn and cardMute return the event of a slot for an inserted card, with the id of
// a new visit.
func cardIn() kiosk.Event   { return kiosk.CardInserted{Visit: uuid.Must(uuid.NewV7()).String()} }
func cardMute() kiosk.Event { return kiosk.CardSilent{Visit: uuid.Must(uuid.NewV7()).String()} }

func (r *rig) slotIs(states ...kiosk.Event) {
	for _, s := range states {
		r.slot.states <- s
		synctest.Wait()
	}
}

func (r *rig) typeKeys(keys string) {
	for _, k := range keys {
		r.keys <- k
		synctest.Wait()
	}
}

// pass advances the bubble's clock.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *rig) expectScreen(id kiosk.ScreenID) kiosk.Screen {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.screen.ID != id {
		r.t.Fatalf("the screen is %s, expected %s; so far: %q", r.screen.ID, id, r.diary)
	}
	return r.screen
}

// expectOrder checks that these entries are in the diary in this order.
func (r *rig) expectOrder(entries ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.diary
	for _, e := range entries {
		i := slices.Index(rest, e)
		if i < 0 {
			r.t.Fatalf("no %q in its place in %q", e, r.diary)
		}
		rest = rest[i+1:]
	}
}

// written returns the reports of what was shown, and in how many commits the outbox got
// everything.
func (r *rig) written() (reports []kiosk.RecordShown, commits int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reports), r.commits
}

// end stops the terminal and returns the result of Run.
func (r *rig) end() error {
	r.stop()
	return <-r.ended
}

// logWriter receives the terminal's log.
type logWriter struct{ rig *rig }

func (w logWriter) Write(p []byte) (int, error) {
	w.rig.mu.Lock()
	defer w.rig.mu.Unlock()
	return w.rig.log.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

var errDisk = errors.New("no space left on device")
