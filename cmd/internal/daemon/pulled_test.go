package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/document"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/terminal"
)

// bench is a complete terminal around a software slot. The card driver and the visit
// machine are real. Panel, hub and outbox are fakes.
type bench struct {
	*cardsim.Slot
	keys chan rune
	log  bytes.Buffer

	mu      sync.Mutex
	pullAt  int // the command at which the card is pulled, 0 for none
	sent    int // commands of this visit
	open    int // connections to the card that are not closed
	screens []kiosk.Screen
	records []kiosk.Record
	typed   [][]byte
	domains *trust.Domains

	document string // that waits for every holder; "" for none
	handedIn []hubapi.SignatureRequest
}

// Connect returns a connection whose card is removed at a given command.
func (b *bench) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := b.Slot.Connect(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open++
	return &pulledConn{Conn: conn, bench: b}, nil
}

type pulledConn struct {
	slot.Conn
	bench *bench
	once  sync.Once
}

func (c *pulledConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	b := c.bench
	b.mu.Lock()
	b.sent++
	pull := b.sent == b.pullAt
	if len(command) > 5 && command[1] == 0x20 {
		b.typed = append(b.typed, command)
	}
	b.mu.Unlock()
	if pull {
		b.Slot.Remove()
	}
	return c.Conn.Transmit(ctx, command)
}

func (c *pulledConn) Close() error {
	c.once.Do(func() {
		c.bench.mu.Lock()
		c.bench.open--
		c.bench.mu.Unlock()
	})
	return c.Conn.Close()
}

func (b *bench) Show(s kiosk.Screen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.screens = append(b.screens, s)
}

func (b *bench) Sound(kiosk.Cue)   {}
func (b *bench) OpenDoor()         {}
func (b *bench) Keys() <-chan rune { return b.keys }

func (b *bench) Write(_ context.Context, entries ...kiosk.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		if r, ok := e.(kiosk.Record); ok {
			b.records = append(b.records, r)
		}
	}
	return nil
}

func (b *bench) Challenge(context.Context) (hubapi.Challenge, error) {
	return hubapi.Challenge{Nonce: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, nil
}

func (b *bench) Reach(context.Context) error { return nil }

func (b *bench) Authenticate(context.Context, string, string, []byte) (kiosk.Verdict, error) {
	v := kiosk.Verdict{Granted: true, Holder: kiosk.Holder{ID: "UN:NO-9578-4050-1", Name: "Somebody"}}
	if b.document != "" {
		v.Documents = "ticket"
	}
	return v, nil
}

func (b *bench) Documents(context.Context, string) ([]kiosk.DocumentInfo, error) {
	return []kiosk.DocumentInfo{{ID: "d", Title: "Ordre", Kind: kiosk.OrderDocument, Hash: document.Hash([]byte(b.document))}}, nil
}

func (b *bench) Document(context.Context, string, string) ([]byte, error) {
	return []byte(b.document), nil
}

func (b *bench) HandIn(_ context.Context, r hubapi.SignatureRequest) (hubapi.SignatureAnswer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handedIn = append(b.handedIn, r)
	return hubapi.SignatureAnswer{Accepted: true}, nil
}

func (b *bench) ChooseSignature(certs [][]byte) (trust.Choice, error) {
	return b.domains.ChooseFor(trust.Sign, certs, time.Now())
}

func (b *bench) Choose(certs [][]byte, authorities ...[]byte) (trust.Choice, error) {
	return b.domains.Choose(certs, time.Now(), authorities...)
}

func (b *bench) Decide(context.Context, string, []byte, string) kiosk.Verdict { return kiosk.Verdict{} }

func (b *bench) RecordGrant(kiosk.Holder) {}
func (b *bench) Prepare(kiosk.Holder)     {}

// last returns the current screen.
func (b *bench) last() kiosk.Screen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.screens[len(b.screens)-1]
}

// visit inserts a card, types PINs while the panel asks for one, and removes the card.
func (b *bench) visit(card *cardsim.Card, pullAt int, pins ...string) {
	b.mu.Lock()
	b.pullAt, b.sent, b.records, b.screens = pullAt, 0, nil, b.screens[len(b.screens)-1:]
	b.mu.Unlock()
	b.Insert(card)
	synctest.Wait()
	for _, pin := range pins {
		for _, digit := range pin {
			if b.last().ID == kiosk.ScreenPIN {
				b.keys <- digit
				synctest.Wait()
			}
		}
		if b.last().ID == kiosk.ScreenPIN && b.last().Typed == len(pin) {
			b.keys <- '#'
			synctest.Wait()
		}
	}
	b.Remove()
	synctest.Wait()
	<-time.After(time.Minute)
	synctest.Wait()
}

// TestPulledAtEachCommand removes the card at command 1, 2, 3 … of every flow. After
// each removal the kiosk must be idle again, must have recorded exactly one outcome,
// and must keep no connection, PIN or name. No PIN try may be spent that the holder did
// not make.
func TestPulledAtEachCommand(t *testing.T) {
	pki, err := testpki.New(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // the start time of synctest's clock
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := pki.Kinds()
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
	for _, flow := range []struct {
		name   string
		card   *cardsim.Card
		pins   []string
		before *cardsim.Card // a card that visited earlier, nil for none
	}{
		{"first visit", pki.Cards["valid"], []string{testpki.PIN}, nil},
		{"repeated visit", pki.Cards["valid"], []string{testpki.PIN}, pki.Cards["valid"]},
		{"wrong PIN, then the right one", pki.Cards["valid"], []string{"0000", testpki.PIN}, pki.Cards["valid"]},
		{"first visit of another card of the kind", pki.Cards["valid"], []string{testpki.PIN}, pki.Cards["revoked"]},
		{"two PINs", kinds[cardsim.TwoPIN].Card, []string{testpki.PIN}, nil},
		{"T=1", kinds[cardsim.T1].Card, []string{testpki.LongPIN}, nil},
		{"behind an applet", kinds[cardsim.Applet].Card, []string{testpki.PIN}, nil},
	} {
		t.Run(flow.name, func(t *testing.T) {
			for at, whole := 1, false; !whole; at++ {
				synctest.Test(t, func(t *testing.T) { whole = pulledAt(t, domains, flow.card, at, flow.before, flow.pins) })
				if at > 64 {
					t.Fatal("the visit does not end")
				}
			}
		})
	}
}

// pulledAt performs one visit. It reports whether the visit was over before the card
// would have been removed.
func pulledAt(t *testing.T, domains *trust.Domains, card *cardsim.Card, at int, before *cardsim.Card, pins []string) (whole bool) {
	b := &bench{Slot: cardsim.NewSlot("slot"), keys: make(chan rune), domains: domains}
	cache, err := smartkort.NewCache(make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	term := &terminal.Terminal{
		Slot: newCardSlot(b, smartkort.Driver{Cache: cache}), Panel: b, Hub: b, Journal: b, Decider: b, Origin: "https://hub.example",
		Config: kiosk.Config{Languages: []string{"en"}, Timing: kiosk.DefaultTiming},
		Now:    time.Now, Log: slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	ended := make(chan error, 1)
	go func() { ended <- term.Run(ctx) }()
	synctest.Wait()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if before != nil {
		b.visit(before, 0, pins[len(pins)-1])
		if len(b.records) != 1 || b.records[0].Outcome != kiosk.Granted {
			t.Fatalf("the visit before: %+v\n%s", b.records, &b.log)
		}
	}
	// Restore the tries first: a try spent earlier would hide one that this visit
	// spends.
	restore(t, card, b, pins[len(pins)-1])

	b.visit(card, at, pins...)
	whole = b.sent < at

	if s := b.last(); s.ID != kiosk.ScreenWelcome || s.Name != "" || s.Typed != 0 {
		t.Errorf("pulled at %d: the panel shows %+v", at, s)
	}
	if len(b.records) != 1 || (b.records[0].Outcome == kiosk.Granted) != whole {
		t.Errorf("pulled at %d of %d: %+v\n%s", at, b.sent, b.records, &b.log)
	}
	if !whole && b.sent != at {
		t.Errorf("pulled at %d: %d commands", at, b.sent)
	}
	if b.open != 0 {
		t.Errorf("pulled at %d: %d connections to the card are still open", at, b.open)
	}
	for _, command := range b.typed {
		if slices.ContainsFunc(command, func(c byte) bool { return c != 0 }) {
			t.Errorf("pulled at %d: a command with a PIN is still in memory: %X", at, command)
		}
	}
	// The digits of a visit's id may contain a PIN by chance, so the id is removed from
	// the log.
	log := regexp.MustCompile(`visit=\S+`).ReplaceAllString(b.log.String(), "")
	for _, word := range append(slices.Clone(pins), "Somebody", "UN:NO") {
		if strings.Contains(log, word) {
			t.Errorf("pulled at %d: %q was logged", at, word)
		}
	}
	if tries := card.Image().PINs["pin"].Left; tries < testpki.Tries-(len(pins)-1) {
		t.Errorf("pulled at %d: %d tries left", at, tries)
	}
	return whole
}

// restore resets the card's PIN tries.
func restore(t *testing.T, card *cardsim.Card, b *bench, pin string) {
	t.Helper()
	if card.Image().PINs["pin"].Left < testpki.Tries {
		b.visit(card, 0, pin)
	}
	if left := card.Image().PINs["pin"].Left; left != testpki.Tries {
		t.Fatal(fmt.Errorf("%d tries left", left))
	}
}
