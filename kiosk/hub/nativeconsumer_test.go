package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// newNativeBed starts a hub that accepts NATS clients on its own JetStream. It returns the
// hub and its URL.
func newNativeBed(t *testing.T) (b *bed, h *Hub, url string) {
	t.Helper()
	dir := newFolder(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	settings := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, fmt.Appendf(text, "\n[nats]\nlisten = %q\n", address), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); serving.Wait(); h.Close() })
	return &bed{t: t, dir: dir, conn: h.conn, replicas: 1}, h, "https://" + ln.Addr().String()
}

// dialNative connects with a certificate of a bundle.
func dialNative(t *testing.T, url, bundle, ca, role string, options ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	conn, err := nats.Connect(url, append(options,
		nats.RootCAs(filepath.Join(bundle, ca)), nats.ClientCert(filepath.Join(bundle, role+".pem"), filepath.Join(bundle, role+".key")), nats.Timeout(time.Minute))...)
	if err == nil {
		t.Cleanup(conn.Close)
	}
	return conn, err
}

// native is a consumer that reads with a NATS client.
type native struct {
	NativeAccess
	conn    *nats.Conn
	durable jetstream.Consumer
	refused chan error
}

func (b *bed) native(name, from string) *native {
	b.t.Helper()
	t := b.t.(*testing.T)
	access, err := AddNativeConsumer(b.dir, name, from)
	if err != nil {
		t.Fatal(err)
	}
	return b.connectNative(access)
}

// connectNative connects as a consumer's program does.
func (b *bed) connectNative(access NativeAccess) *native {
	b.t.Helper()
	t := b.t.(*testing.T)
	n := &native{NativeAccess: access, refused: make(chan error, 10)}
	var err error
	n.conn, err = dialNative(t, access.URL, access.Bundle, access.CA, "consumer", nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { n.refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(n.conn, access.API)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		n.durable, err = js.Consumer(ctx, access.Stream, access.Durable)
		refused, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || refused.Code != 503 {
			break
		}
		pauseFor(ctx, 100*time.Millisecond) // a node that was cut off has not caught up yet
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// next returns the places of the next messages, which it acknowledges if ack is true.
func (n *native) next(t *testing.T, most int, ack bool) (places []string) {
	t.Helper()
	fetched, err := n.durable.FetchNoWait(most)
	if err != nil {
		t.Fatal(err)
	}
	for msg := range fetched.Messages() {
		for _, e := range readMessage(msg.Data()) {
			places = append(places, place(t, e))
		}
		if !ack {
			continue
		}
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := fetched.Error(); err != nil {
		t.Fatal(err)
	}
	return places
}

// A consumer reads with the Go client of NATS, from where it wants to begin. What it has
// acknowledged does not come again; the other messages stay.
func TestNativeConsumer(t *testing.T) {
	b, h, url := newNativeBed(t)
	k := b.kiosk(url, "k1")
	k.send(k.events(2), 2)
	office := b.native("office", FeedStart)
	late := b.native("late", FeedEnd)
	k.send(k.events(1), 3)
	if got := strings.Join(office.next(t, 10, false), " "); got != "k1/1 k1/2 k1/3" {
		t.Fatalf("office got %s", got)
	}
	if got := strings.Join(late.next(t, 10, true), " "); got != "k1/3" {
		t.Fatalf("late got %s", got)
	}
	info, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	if place, slowest, err := h.acknowledgedByAll(t.Context(), info); err != nil || place != 0 || slowest != "office" {
		t.Errorf("before the acknowledgement: all have acknowledged up to %d, and the slowest is %s, %v", place, slowest, err)
	}

	done, err := ResetFeed(b.dir, "office", FeedStart)
	if err != nil || done.Left == 0 {
		t.Fatalf("reset: %+v, %v", done, err)
	}
	if got := strings.Join(office.next(t, 10, true), " "); got != "k1/1 k1/2 k1/3" {
		t.Fatalf("after the reset office got %s", got)
	}
	if got := office.next(t, 10, true); got != nil {
		t.Fatalf("office got %s again", got)
	}
	eventually(t, func() error {
		if place, slowest, err := h.acknowledgedByAll(t.Context(), info); err != nil || slowest == "office" {
			return fmt.Errorf("all have acknowledged up to %d, and the slowest is %s, %v", place, slowest, err)
		}
		return nil
	})
}

// A consumer's certificate gives no right but to read its own durable consumer.
func TestNativeRights(t *testing.T) {
	b, h, url := newNativeBed(t)
	k := b.kiosk(url, "k1")
	k.send(k.events(3), 3)
	office := b.native("office", FeedStart)
	other := b.native("other", FeedStart)
	before, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{
		"smartkiosk.events.k1", "smartkiosk.alarms.k1", "$KV.smartkiosk-challenges.x", "$KV.smartkiosk-identities.operator.me",
		"$JS.API.INFO", "$JS.API.STREAM.INFO.smartkiosk-events", "$JS.API.STREAM.DELETE.smartkiosk-events", "$JS.API.STREAM.PURGE.smartkiosk-events",
		"$JS.API.STREAM.MSG.GET.smartkiosk-events", "$JS.API.DIRECT.GET.smartkiosk-events", "$JS.API.STREAM.SNAPSHOT.smartkiosk-events",
		"$JS.API.CONSUMER.CREATE.smartkiosk-events", "$JS.API.CONSUMER.CREATE.smartkiosk-events.mine", "$JS.API.CONSUMER.DELETE.smartkiosk-events.consumer-office",
		"$JS.API.CONSUMER.INFO.smartkiosk-events.consumer-office", "$JS.API.CONSUMER.MSG.NEXT.smartkiosk-events.consumer-office",
		"HUB.API.STREAM.DELETE.smartkiosk-events", "HUB.API.CONSUMER.DELETE.smartkiosk-events.consumer-office", "HUB.API.CONSUMER.INFO.smartkiosk-events.consumer-other", "HUB.API.CONSUMER.MSG.NEXT.smartkiosk-events.consumer-other",
		"$JS.API.CONSUMER.INFO.smartkiosk-events.consumer-other", "$JS.API.CONSUMER.MSG.NEXT.smartkiosk-events.consumer-other",
		"$JS.API.CONSUMER.MSG.NEXT.smartkiosk-events.smartkiosk-reviewer", "$JS.ACK.smartkiosk-events.consumer-other.1.1.1.1.0", "$SYS.REQ.SERVER.PING",
	} {
		if err := errors.Join(office.conn.PublishRequest(subject, "_INBOX.x", nil), office.conn.Flush()); err != nil {
			t.Fatal(err)
		}
		if err := <-office.refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("publish to %s: %v", subject, err)
		}
	}
	for _, subject := range []string{">", "smartkiosk.>", "$KV.>", "$JS.>", "$SYS.>"} {
		if _, err := office.conn.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if err := office.conn.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := <-office.refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribe to %s: %v", subject, err)
		}
	}
	// What a consumer hears on its inboxes is its own.
	inboxes, err := office.conn.SubscribeSync(nativeInboxes)
	if err != nil || office.conn.Flush() != nil {
		t.Fatal(err)
	}
	if got := other.next(t, 10, true); len(got) != 3 {
		t.Fatalf("other got %s", got)
	}
	k.nonce()
	if n, _, _ := inboxes.Pending(); n > 0 {
		t.Errorf("office heard %d messages of others", n)
	}

	// JetStream would deliver a message, or an answer, to the subject that a request names.
	next := office.API + ".CONSUMER.MSG.NEXT." + office.Stream + "." + office.Durable
	for _, reply := range []string{"smartkiosk.events.k1", "smartkiosk.alarms.k1", "$KV.smartkiosk-challenges.x", "$JS.API.STREAM.DELETE.smartkiosk-events", "$JS.API.STREAM.PURGE.smartkiosk-events"} {
		for _, request := range []string{`{"batch":1,"no_wait":true}`, `{"batch":0}`, `{"batch":1,"expires":1000000}`} {
			if err := errors.Join(office.conn.PublishRequest(next, reply, []byte(request)), office.conn.Flush()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := strings.Join(office.next(t, 10, true), " "); got != "k1/1 k1/2 k1/3" {
		t.Errorf("office got %s", got)
	}
	after, err := streamInfo(t.Context(), h.events)
	if err != nil || after.State.LastSeq != before.State.LastSeq || after.State.Msgs != before.State.Msgs {
		t.Errorf("the stream was changed: %+v, then %+v, %v", before.State, after.State, err)
	}
	if _, err := h.challenges.Get(t.Context(), "x"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("a message was stored as a challenge: %v", err)
	}
	k.send(k.events(1), 4)
}

// Only consumers may connect, and only until they are removed.
func TestNativeClients(t *testing.T) {
	b, h, url := newNativeBed(t)
	b.kiosk(url, "k1").nonce()
	office := b.native("office", FeedStart)
	if _, err := dialNative(t, office.URL, filepath.Join(b.dir, kiosksDir, "k1"), bundleCAFile, "kiosk"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a kiosk connects: %v", err)
	}
	watch, err := addClient(b.dir, hubapi.Identity{Role: hubapi.RoleOperator, Name: "watch"}, nil, b.registering, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialNative(t, office.URL, watch, bundleCAFile, "operator"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("an operator connects: %v", err)
	}
	if conn, err := nats.Connect(office.URL, nats.RootCAs(filepath.Join(office.Bundle, bundleCAFile))); err == nil {
		conn.Close()
		t.Error("a client without a certificate connects")
	}
	plain, err := net.Dial("tcp", strings.TrimPrefix(office.URL, "tls://"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, "CONNECT {\"verbose\":true}\r\nPING\r\n")
	if text, _ := io.ReadAll(plain); strings.Contains(string(text), "PONG") { // the server closes the connection
		t.Errorf("a client without TLS gets %s", text)
	}

	closed := office.conn.StatusChanged(nats.CLOSED)
	if _, err := RemoveClient(b.dir, hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}); err != nil {
		t.Fatal(err)
	}
	<-closed
	if _, err := h.events.Consumer(t.Context(), office.Durable); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("the durable consumer of a consumer that was removed: %v", err)
	}
	moved, err := filepath.Glob(filepath.Join(b.dir, removedDir, "consumer-office-*"))
	if err != nil || len(moved) != 1 {
		t.Fatal(moved, err)
	}
	if _, err := dialNative(t, office.URL, moved[0], bundleCAFile, "consumer"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a consumer that was removed connects: %v", err)
	}
}

// The listener goes on when the keeper has replaced the server.
func TestNativeAfterRestart(t *testing.T) {
	b, h, url := newNativeBed(t)
	k := b.kiosk(url, "k1")
	k.send(k.events(1), 1)
	access, err := AddNativeConsumer(b.dir, "office", FeedStart)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.embedded.restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := dialNative(t, access.URL, access.Bundle, access.CA, "consumer")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(conn, access.API)
	if err != nil {
		t.Fatal(err)
	}
	durable, err := js.Consumer(t.Context(), access.Stream, access.Durable)
	if err != nil {
		t.Fatal(err)
	}
	n := native{durable: durable}
	if got := strings.Join(n.next(t, 1, true), " "); got != "k1/1" {
		t.Errorf("got %s", got)
	}
}

func TestNativeConsumerRefused(t *testing.T) {
	dir := newFolder(t)
	if _, err := AddNativeConsumer(dir, "office", FeedStart); err == nil || !strings.Contains(err.Error(), "hub.toml has no nats.listen") {
		t.Errorf("without nats.listen: %v", err)
	}
	for text, want := range map[string]string{
		`listen = "4222"`: `nats.listen = "4222" is not of the form host:port`,
		"listen = \":4222\"\nurl = \"nats://127.0.0.1:4222\"": "nats.listen and nats.url exclude each other",
	} {
		_, err := parseSettings([]byte("listen = \":8443\"\nurl = \"https://h:1\"\n[nats]\n" + text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := nativeConfig("office", "yesterday"); err == nil || err.Error() != `"yesterday" is not start, end, or a time such as 2026-11-29T12:00:00Z` {
		t.Errorf("from yesterday: %v", err)
	}
}
