// Package fleet simulates a fleet of kiosks and a consumer in one process, against a real
// hub. Each kiosk has a key and a certificate of its own and seals its events as kioskd
// does; each has a visitor with a certificate of its own. The simulation has
// no people, no card readers, no panels and no network.
package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/webeid"
)

// Plan says what to simulate.
type Plan struct {
	Kiosks int           // from 1 to MaxKiosks
	Rate   float64       // visits a minute of all kiosks together, on average
	For    time.Duration // how long
	Day    bool          // let the rate follow a day's curve, of which For is the whole
	Faults float64       // part of the visits that go wrong, from 0 to 1
	Seed   uint64        // of the choices
}

// MaxKiosks is how many kiosks one process can simulate.
const MaxKiosks = 2000

// curve is how the visits of a day are spread over its hours, as parts of 100. It is
// invented: an office with a peak in the morning and after lunch.
var curve = [24]float64{0, 0, 0, 0, 0, 1, 4, 13, 16, 9, 6, 7, 8, 9, 6, 6, 7, 4, 2, 1, 1, 0, 0, 0}

// Check returns an error if a plan cannot be simulated.
func (p Plan) Check() error {
	switch {
	case p.Kiosks < 1 || p.Kiosks > MaxKiosks:
		return fmt.Errorf("kiosks must be from 1 to %d", MaxKiosks)
	case p.Rate <= 0:
		return errors.New("visits must be more than 0 a minute")
	case p.For < time.Second:
		return errors.New("for must be at least 1s")
	case p.Faults < 0 || p.Faults > 1:
		return errors.New("faults must be from 0 to 1")
	}
	return nil
}

// rateAt returns the visits a minute when a part (0 to 1) of the time has passed.
func (p Plan) rateAt(part float64) float64 {
	if !p.Day {
		return p.Rate
	}
	return p.Rate * curve[min(23, int(part*24))] * 24 / 100
}

const consumer = "simulate"

// Run simulates a plan against a new hub in a folder that does not exist yet. Progress is
// called every now and then with the part of the time that has passed. Run returns an error
// if the simulation could not be made, and otherwise what it found.
func Run(ctx context.Context, dir string, p Plan, progress func(part float64, r *Report)) (*Report, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	s := &simulation{Plan: p, report: newReport(), random: mathrand.New(mathrand.NewPCG(p.Seed, 0))}
	if err := s.prepare(ctx, dir); err != nil {
		return nil, fmt.Errorf("cannot simulate a fleet: %w", err)
	}
	defer s.stop()
	s.run(ctx, progress)
	s.report.Feed = s.checkFeed(context.WithoutCancel(ctx))
	return s.report, nil
}

type simulation struct {
	Plan
	report *Report
	random *mathrand.Rand
	pki    *testpki.PKI
	kiosks []*terminal
	feed   *hubapi.Client
	url    string
	stop   func()
}

// prepare makes a hub and the kiosks, and starts the hub.
func (s *simulation) prepare(ctx context.Context, dir string) (err error) {
	if s.pki, err = testpki.Mint(time.Now()); err != nil {
		return err
	}
	trusted, hubDir := filepath.Join(dir, "pki"), filepath.Join(dir, "hub")
	if err := s.pki.Write(trusted); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "https://" + ln.Addr().String()
	if err := hub.Init(hubDir, hub.InitOptions{Listen: ln.Addr().String(), URL: s.url, Trust: trusted, Offline: hubpolicy.Trusted}); err != nil {
		return errors.Join(err, ln.Close())
	}
	config, err := hub.Load(hubDir)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	h, err := hub.Open(ctx, config, slog.New(slog.DiscardHandler))
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Serve(serving, ln); err != nil {
			s.report.fault("hub: " + err.Error())
		}
	})
	s.stop = func() { end(); running.Wait(); h.Close() }
	if err := s.addClients(hubDir); err != nil {
		s.stop()
		return err
	}
	return nil
}

func (s *simulation) addClients(hubDir string) error {
	for i := range s.Kiosks {
		k, err := newTerminal(hubDir, s.url, fmt.Sprintf("sim-%04d", i+1), i+1, s.pki)
		if err != nil {
			return err
		}
		s.kiosks = append(s.kiosks, k)
	}
	if _, err := hub.AddConsumer(hubDir, consumer); err != nil {
		return err
	}
	_, credentials, err := hub.Consumer(hubDir, consumer)
	if err != nil {
		return err
	}
	s.feed = hubapi.NewClient(s.url, credentials.TLS)
	return nil
}

// run lets people arrive at random, as independent people do, until the time is over.
func (s *simulation) run(ctx context.Context, progress func(float64, *Report)) {
	ctx, cancel := context.WithTimeout(ctx, s.For)
	defer cancel()
	began := time.Now()
	var visits sync.WaitGroup
	shown := began
	for next := began; ; {
		part := float64(next.Sub(began)) / float64(s.For)
		rate := s.rateAt(part)
		if rate == 0 { // an hour of the night
			next = next.Add(s.For / 24 / 4)
		} else {
			next = next.Add(time.Duration(s.random.ExpFloat64() * float64(time.Minute) / rate))
		}
		if part >= 1 {
			break
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		if now := time.Now(); now.Sub(shown) > 200*time.Millisecond {
			shown = now
			progress(min(1, float64(now.Sub(began))/float64(s.For)), s.report)
		}
		if rate == 0 {
			continue
		}
		k, kind := s.kiosks[s.random.IntN(len(s.kiosks))], s.kind()
		visits.Go(func() { k.visit(kind, s.report) })
	}
	visits.Wait()
	s.report.took(time.Since(began))
	progress(1, s.report)
}

// kinds are the visits that go wrong.
var kinds = []kind{revoked, expired, cancelled, unreachable, usedNonce}

type kind string

const (
	valid       kind = "valid card"
	revoked     kind = "revoked card"
	expired     kind = "expired card"
	cancelled   kind = "given up before the PIN"
	unreachable kind = "hub not reached"
	usedNonce   kind = "nonce used twice"
)

func (s *simulation) kind() kind {
	if s.random.Float64() >= s.Faults {
		return valid
	}
	return kinds[s.random.IntN(len(kinds))]
}

// terminal is a simulated kiosk. One visit at a time.
type terminal struct {
	id    string
	hub   *hubapi.Client
	seal  *event.Sealer
	cards map[kind]testpki.Credential
	url   string

	mu       sync.Mutex
	sequence uint64
	link     []byte
	queue    []json.RawMessage // what the hub has not acknowledged
	boot     string
	began    time.Time
}

// visit is one visit: the card signs the hub's nonce, the hub decides, and the outcome goes
// to the hub with all that waits.
func (t *terminal) visit(what kind, r *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		r.fault(err.Error())
		return
	}
	outcome := t.decide(ctx, id, what, r)
	r.count(what, outcome)
	for _, payload := range []struct {
		name string
		any
	}{
		{event.TypeVisit, outcome},
		{event.TypeShown, event.Shown{Visit: id, Result: kiosk.Shown, Screen: kiosk.ScreenID(outcome.Outcome), Door: outcome.Outcome == kiosk.Granted, At: time.Now().UTC()}},
	} {
		if err := t.record(payload.name, payload.any); err != nil {
			r.fault("cannot seal an event: " + err.Error())
			return
		}
	}
	if what != unreachable {
		t.push(ctx, r)
	}
}

// decide asks the hub. It returns the outcome of the visit.
func (t *terminal) decide(ctx context.Context, id string, what kind, r *Report) event.Visit {
	out := event.Visit{Visit: id, Outcome: kiosk.Failed, Reason: kiosk.HubSilent}
	switch what {
	case cancelled:
		out.Outcome, out.Reason = kiosk.Cancelled, kiosk.ByHolder
		return out
	case unreachable: // the kiosk's policy is "never"
		out.Outcome, out.Reason, out.Offline = kiosk.Denied, kiosk.OfflineNever, true
		return out
	}
	began := time.Now()
	challenge, err := t.hub.Challenge(ctx)
	r.time("challenge", began, err)
	if err != nil {
		return out
	}
	card, ok := t.cards[what]
	if !ok {
		card = t.cards[valid]
	}
	token, err := webeid.Sign(card.Key, card.Certificate.Raw, t.url, challenge.Nonce)
	if err != nil {
		r.fault("cannot sign: " + err.Error())
		return out
	}
	if what == usedNonce {
		_, _ = t.hub.Authenticate(ctx, id, challenge.Nonce, token)
	}
	began = time.Now()
	verdict, err := t.hub.Authenticate(ctx, id, challenge.Nonce, token)
	r.time("verdict", began, err)
	switch {
	case err != nil:
	case verdict.Granted:
		out.Outcome, out.Reason, out.Authenticated, out.Holder = kiosk.Granted, "", true, &verdict.Holder
	default:
		out.Outcome, out.Reason = kiosk.Denied, verdict.Reason
	}
	return out
}

// record seals an event and puts it into the queue.
func (t *terminal) record(name string, payload any) error {
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	sealed, link, err := t.seal.Seal(event.Header{
		ID: id, Sequence: t.sequence + 1, Type: name, Time: time.Now(),
		BootID: t.boot, Uptime: time.Since(t.began), ClockTrusted: true, Prev: t.link,
	}, payload)
	if err != nil {
		return err
	}
	t.sequence, t.link = t.sequence+1, link
	t.queue = append(t.queue, sealed)
	return nil
}

// push sends the queue. Events that the hub does not acknowledge stay in it.
func (t *terminal) push(ctx context.Context, r *Report) {
	for len(t.queue) > 0 {
		batch := t.queue[:min(len(t.queue), hubapi.MaxEvents)]
		began := time.Now()
		got, err := t.hub.SendEvents(ctx, batch)
		r.time("events", began, err)
		first := t.sequence - uint64(len(t.queue)) + 1
		if err != nil || got.Acknowledged < first {
			return
		}
		t.queue = t.queue[got.Acknowledged-first+1:]
	}
}

// checkFeed sends what still waits, reads the whole feed, and returns an error if it is not
// exactly what the kiosks have recorded.
func (s *simulation) checkFeed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var want uint64
	for _, k := range s.kiosks {
		k.push(ctx, s.report)
		if len(k.queue) > 0 {
			return fmt.Errorf("the hub has not acknowledged %d events of %s", len(k.queue), k.id)
		}
		want += k.sequence
	}
	next := map[string]uint64{}
	var read uint64
	for {
		events, cursor, err := s.feed.Feed(ctx, consumer, hubapi.MaxEvents, 0)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		for _, text := range events {
			var e struct {
				Source   string
				Sequence uint64 `json:",string"`
			}
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("cannot read an event of the feed: %w", err)
			}
			if e.Source == event.HubSource {
				continue
			}
			if next[e.Source]++; e.Sequence != next[e.Source] {
				return fmt.Errorf("the feed has event %d of %s, want %d", e.Sequence, e.Source, next[e.Source])
			}
			read++
		}
		if err := s.feed.AckFeed(ctx, consumer, cursor); err != nil {
			return err
		}
	}
	s.report.Events = read
	if read != want {
		return fmt.Errorf("the feed has %d events of kiosks, want %d", read, want)
	}
	return nil
}

// newTerminal makes a kiosk with a key of its own, and a visitor's cards.
func newTerminal(hubDir, url, id string, number int, pki *testpki.PKI) (*terminal, error) {
	key, request, err := newRequest(id)
	if err != nil {
		return nil, err
	}
	bundle, err := hub.AddKioskOf(hubDir, id, request)
	if err != nil {
		return nil, err
	}
	credentials, err := hubapi.NewCredentials(filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), key)
	if err != nil {
		return nil, err
	}
	sealTo, err := readJWK(filepath.Join(bundle, "hub-seal.jwk"))
	if err != nil {
		return nil, err
	}
	t := &terminal{id: id, url: url, hub: hubapi.NewClient(url, credentials.TLS), boot: id, began: time.Now()}
	if t.seal, err = event.NewSealer(id, key, sealTo); err != nil {
		return nil, err
	}
	holder := pki.Holders["valid"].Authentication
	person := testpki.Person{Given: "Test", Surname: fmt.Sprintf("Person %d", number), ID: fmt.Sprintf("UN:NO-9578-4050-%09d", 900100000+number)}
	cert, err := pki.Issue(testpki.Authentication(person, time.Now().Add(-24*time.Hour), time.Now().AddDate(3, 0, 0)), holder.Key.Public())
	t.cards = map[kind]testpki.Credential{
		valid:   {Certificate: cert, Key: holder.Key},
		revoked: pki.Holders["revoked"].Authentication,
		expired: pki.Holders["expired"].Authentication,
	}
	return t, err
}

// Temporary calls f with a folder that is removed afterwards.
func Temporary(f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "kioskhub-simulate-")
	if err != nil {
		return fmt.Errorf("cannot simulate a fleet: %w", err)
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	return f(dir)
}
