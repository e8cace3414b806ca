package hub

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
)

// If the stream was rolled back behind a consumer's cursor, the feed answers an error and
// skips no event, also after the stream has grown past the cursor again. After a reset the
// consumer gets the stream from its beginning.
func TestFeedAfterRollback(t *testing.T) {
	for name, later := range map[string]int{"the cursor is beyond the end": 1, "the stream has grown past the cursor": 9} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := startEmbedded(dir, byHub, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			b := &bed{t: t, dir: newFolder(t), conn: store.conn}
			url := b.serve()
			k1, k2, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.consumer(url, "office")
			for i := range 4 {
				k1.send(k1.events(1), uint64(i+1))
			}
			_, cursor := office.pull(10, 0)
			office.ack(cursor)
			b.losesMessages(dir, store)
			h := b.open()
			log := &record{}
			h.log = slog.New(slog.NewTextHandler(log, nil))
			url = b.serve()
			k2 = k2.to(url)
			for i := range later {
				k2.send(k2.events(1), uint64(i+1))
			}
			_, _, err = office.to(url).Feed(t.Context(), "office", 10, 0)
			if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindRolledBack || p.Status != 409 || !strings.Contains(p.Detail, "kioskhub feed reset office --to start") {
				t.Errorf("the feed answers %v, want rolled-back", err)
			}
			at, err := h.cursor(t.Context(), "office")
			if err != nil {
				t.Fatal(err)
			}
			info, err := streamInfo(t.Context(), h.events)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.checkCursor(t.Context(), "office", at, info); err == nil || !strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log says %q, %v", log, err)
			}
			if _, err := b.feedStore().reset(t.Context(), "office", FeedStart); err != nil {
				t.Fatal(err)
			}
			events, _, err := office.to(url).Pull(t.Context(), "office", hubapi.Pull{Max: 10, Kiosks: []string{"k2"}})
			if got := office.places(events); err != nil || strings.Join(got, " ") != strings.Join(places("k2", 1, later), " ") {
				t.Errorf("after the reset the feed has %v, %v", got, err)
			}
		})
	}
}

// The health check fails if the store cannot write, although it can still read.
func TestHealthProvesAWrite(t *testing.T) {
	b := newBed(t)
	h := b.open()
	check := func() error {
		return h.health(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/healthz", nil), caller{})
	}
	if err := check(); err != nil {
		t.Errorf("a hub that works: %v", err)
	}
	// The events can still be read, but this stream takes no messages any more.
	if err := h.js.DeleteStream(t.Context(), "KV_"+challengesBucket); err != nil {
		t.Fatal(err)
	}
	if err := check(); !errors.As(err, new(storeError)) {
		t.Errorf("a hub that cannot write: %v, want a storeError, which becomes 503", err)
	}
}

// losesMessages starts the JetStream in a folder again with what a power cut can leave of the
// stream of events: no message blocks, no index.
func (b *bed) losesMessages(dir string, store *embedded) {
	t := b.t
	t.Helper()
	store.close()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", eventsStream, "msgs", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the stream has the files %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.RemoveAll(f); err != nil {
			t.Fatal(err)
		}
	}
	again, err := startEmbedded(dir, byHub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.close)
	b.conn = again.conn
}
