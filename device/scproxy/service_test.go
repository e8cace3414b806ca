package scproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/slot"
)

const (
	origin     = "https://secure.buypass.no"
	readerName = "A reader [with a name] 00 00"
)

var testPKI = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(time.Now()) })

func newCard(t testing.TB) (*cardsim.Card, *testpki.PKI) {
	t.Helper()
	p, err := testPKI()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cardsim.New(p.Cards["valid"].Image())
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func newService(t testing.TB) (*Service, *cardsim.Slot, *cardsim.Card) {
	t.Helper()
	card, _ := newCard(t)
	s := cardsim.NewSlot(readerName)
	s.Insert(card)
	service := New(s, slog.New(slog.DiscardHandler))
	t.Cleanup(service.Close)
	return service, s, card
}

func TestVersionAndList(t *testing.T) {
	service, s, _ := newService(t)
	p := newPage(t, service, "s1")
	if r := p.call("/scard/version/", ""); r.Version != "1.5.2" {
		t.Errorf("version %q", r.Version)
	}
	status := func() int {
		t.Helper()
		r := p.call("/scard/list/", "{}")
		if len(r.Readers) != 1 || r.Readers[0].Name != readerName || *r.Code != 0 || *r.Detail != 0 {
			t.Fatalf("list: %+v", r)
		}
		return r.Readers[0].Status
	}
	if got := status(); got != 302 {
		t.Errorf("card in: %d", got)
	}
	s.Remove()
	if got := status(); got != 303 {
		t.Errorf("card out: %d", got)
	}
	pki, err := testPKI()
	if err != nil {
		t.Fatal(err)
	}
	s.Insert(pki.Cards["mute"])
	if got := status(); got != 304 {
		t.Errorf("mute card: %d", got)
	}
	without := New(noReader{}, slog.New(slog.DiscardHandler))
	if status, answer := newPage(t, without, "s1").post(origin, "/scard/list/", ""); string(answer) != `{"readers":[],"errorcode":0,"errordetail":0}`+"\n" {
		t.Errorf("no reader: %d %s", status, answer)
	}
}

// noReader is a slot without a reader.
type noReader struct{}

func (noReader) Watch(context.Context) <-chan slot.Event {
	events := make(chan slot.Event, 1)
	events <- slot.Event{State: slot.NoReader}
	return events
}

func (noReader) Connect(context.Context) (slot.Conn, error) { return nil, errors.New("no reader") }

// TestLogin plays a login. The card is reset afterwards.
func TestLogin(t *testing.T) {
	service, s, card := newService(t)
	p := newPage(t, service, "s1")
	login(t, p)
	if _, err := s.Connect(t.Context()); err == nil {
		t.Error("somebody else has the card in the middle of a session")
	}
	if status, _ := p.post(origin, "/scard/disconnect/", `{"session":"s1"}`); status != http.StatusOK {
		t.Errorf("disconnect: %d", status)
	}
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r := card.Transmit([]byte{0x00, 0x20, 0x00, 0x82}); !bytes.Equal(r, []byte{0x63, 0xC3}) {
		t.Errorf("the PIN is still verified: %X", r)
	}
}

// TestSessions: one session is open at a time. It belongs to a name and an origin. A
// new session resets the card. A silent session ends.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s, _ := newService(t)
		const askPIN, verified, unverified = "00200082", "9000", "63c3"
		tries := func(p page) string {
			t.Helper()
			responses, _ := p.transmit(askPIN)
			return strings.Join(responses, " ")
		}
		first := newPage(t, service, "s1")
		first.transmit(first.verify("1234"))
		if got := tries(first); got != verified {
			t.Errorf("the same session: %s", got)
		}
		if got := tries(newPage(t, service, "s2")); got != unverified {
			t.Errorf("another session has the PIN verified: %s", got)
		}
		first.transmit(first.verify("1234"))
		elsewhere := first
		elsewhere.origin = "https://secure.test4.buypass.no"
		if got := tries(elsewhere); got != unverified {
			t.Errorf("the same name in another origin has the PIN verified: %s", got)
		}

		first.transmit(first.verify("1234"))
		elsewhere.post(elsewhere.origin, "/scard/disconnect/", `{"session":"s1"}`)
		if got := tries(first); got != verified {
			t.Errorf("another origin ended the session: %s", got)
		}
		for range 3 {
			time.Sleep(idle - time.Millisecond)
			if got := tries(first); got != verified {
				t.Errorf("a session in use ended: %s", got)
			}
		}
		time.Sleep(idle + time.Millisecond)
		synctest.Wait()
		conn, err := s.Connect(t.Context())
		if err != nil {
			t.Fatalf("a silent session is still open: %v", err)
		}
		if status, answer := first.post(origin, apduPath(readerName), first.body(askPIN)); status != http.StatusServiceUnavailable {
			t.Errorf("a card that is in use: %d %s", status, answer)
		}
		conn.Close()

		if got := tries(first); got != unverified {
			t.Errorf("a new session: %s", got)
		}
		service.Close()
		if conn, err = s.Connect(t.Context()); err != nil {
			t.Errorf("Close keeps the card: %v", err)
		} else {
			conn.Close()
		}
		if status, _ := first.post(origin, apduPath(readerName), first.body(askPIN)); status != http.StatusServiceUnavailable {
			t.Errorf("after Close: %d", status)
		}
	})
}

// TestPull: while the card is removed, the page gets an empty response for each
// command and errordetail -3. The same session then opens again.
func TestPull(t *testing.T) {
	service, s, card := newService(t)
	p := newPage(t, service, "s1")
	p.transmit(p.verify("1234"))
	s.Remove()
	for range 2 { // in the session, and when it opens
		if responses, detail := p.transmit("00200082", "00A40000023F00"); !slices.Equal(responses, []string{"", ""}) || detail != -3 {
			t.Errorf("pulled: %q, %d", responses, detail)
		}
	}
	s.Insert(card)
	if responses, detail := p.transmit("00200082"); len(responses) != 1 || responses[0] != "63c3" || detail != 0 {
		t.Errorf("put in again: %v, %d", responses, detail)
	}
}

// TestPullEndsSession: the removal of the card ends the session at once.
func TestPullEndsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s, _ := newService(t)
		p := newPage(t, service, "s1")
		p.transmit("00200082")
		who := owner{origin, "s1"}
		if synctest.Wait(); !service.sessions.isOpen(who) {
			t.Error("the session ended by itself")
		}
		s.Remove()
		if synctest.Wait(); service.sessions.isOpen(who) {
			t.Error("the session outlives the card")
		}
		service.Close()
	})
}

// TestRefuses: each bad request gets its status, and no command of it reaches the
// card.
func TestRefuses(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	spend := "A020008208 30303030FFFFFFFF" // would cost a try
	for _, c := range []struct {
		name, origin, path, body string
		status                   int
	}{
		{"another page", "https://evil.example", apduPath(readerName), p.body("00200082"), 403},
		{"no origin", "", "/scard/version/", "", 403},
		{"PIN in the clear", origin, apduPath(readerName), p.body("00200082", spend), 403},
		{"a refused command behind a good one", origin, apduPath(readerName), p.body(p.verify("0000"), "00D6000001AA"), 403},
		{"to the reader", origin, apduPath(readerName), p.body("FFCA000000"), 403},
		{"unknown ref", origin, apduPath(readerName), p.body("FFFF0104 00000000 05 04 A020008208 30303030 FFFFFFFF"), 400},
		{"malformed packet", origin, apduPath(readerName), p.body("FFFF0104 00"), 400},
		{"no APDU", origin, apduPath(readerName), p.body("00A4"), 400},
		{"no hex", origin, apduPath(readerName), p.body("00A4zz"), 400},
		{"no JSON", origin, apduPath(readerName), "{", 400},
		{"nothing", origin, apduPath(readerName), "", 400},
		{"no session", origin, apduPath(readerName), `{"apducommands":[]}`, 400},
		{"session of 257 bytes", origin, apduPath(readerName), `{"session":"` + strings.Repeat("s", 257) + `"}`, 400},
		{"65 commands", origin, apduPath(readerName), p.body(strings.Split(strings.Repeat("00200082 ", 65), " ")[:65]...), 400},
		{"too long", origin, apduPath(readerName), strings.Repeat(" ", maxBody+1), 400},
		{"another reader", origin, apduPath("Another reader"), p.body("00200082"), 400},
		{"disconnect without JSON", origin, "/scard/disconnect/", "s1", 400},
		{"another path", origin, "/scard/reset/", "{}", 404},
	} {
		if status, answer := p.post(c.origin, c.path, c.body); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, status, answer, c.status)
		}
	}
	once := p.verify("1234")
	if responses, _ := p.transmit(once); responses[0] != "9000" {
		t.Errorf("the right PIN: %v", responses)
	}
	for name, body := range map[string]string{"a PIN sent again": p.body(once), "a ref used twice": p.body(twice(p.verify("0000"))...)} {
		if status, answer := p.post(origin, apduPath(readerName), body); status != 400 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	p.post(origin, "/scard/disconnect/", `{"session":"s1"}`)
	if responses, _ := p.transmit("00200082"); responses[0] != "63c3" {
		t.Errorf("a try was spent: %v", responses)
	}
	r := httptest.NewRequest(http.MethodGet, "https://"+Address+"/scard/list/", nil)
	r.Header.Set("Origin", origin)
	w := httptest.NewRecorder()
	if service.Handler().ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	r = httptest.NewRequest(http.MethodPost, "https://"+Address+"/scard/disconnect/", io.NopCloser(strings.NewReader("{}")))
	r.Header.Set("Origin", origin)
	w = httptest.NewRecorder()
	if service.Handler().ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("length not said: %d", w.Code)
	}
}

func twice(apdu string) []string { return []string{apdu, apdu} }

// TestPINIsWiped: after a request neither the buffer that went to the card nor the
// page's command contains the PIN.
func TestPINIsWiped(t *testing.T) {
	card, _ := newCard(t)
	tap := &tap{}
	s := cardsim.NewSlot(readerName)
	s.Insert(card)
	service := New(tapped{s, tap}, slog.New(slog.DiscardHandler))
	defer service.Close()
	p := newPage(t, service, "s1")
	if responses, _ := p.transmit(p.verify("1234")); responses[0] != "9000" {
		t.Fatal(responses)
	}
	if !tap.saw {
		t.Fatal("the PIN did not reach the card")
	}
	for _, b := range tap.buffers {
		if bytes.Contains(b, []byte("1234")) {
			t.Errorf("not wiped: %X", b)
		}
	}

	request, err := parseTransmit([]byte(p.body(p.verify("1234"))))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := service.refs.commands(request)
	if err != nil || !bytes.HasPrefix(commands[0].Data, []byte("1234")) {
		t.Fatalf("%X, %v", commands, err)
	}
	data, packet := commands[0].Data, request.Commands[0].APDU
	wipe(commands)
	request.wipe()
	if !bytes.Equal(data, make([]byte, len(data))) || !bytes.Equal(packet, make([]byte, len(packet))) {
		t.Errorf("not wiped: %X %X", data, packet)
	}
}

// tap keeps the buffers that go to the card, without copying their content.
type tap struct {
	buffers [][]byte
	saw     bool
}

type tapped struct {
	slot.Slot
	tap *tap
}

func (s tapped) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := s.Slot.Connect(ctx)
	return tappedConn{conn, s.tap}, err
}

type tappedConn struct {
	slot.Conn
	tap *tap
}

func (c tappedConn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	c.tap.buffers = append(c.tap.buffers, command)
	c.tap.saw = c.tap.saw || bytes.Contains(command, []byte("1234"))
	return c.Conn.Transmit(ctx, command)
}
