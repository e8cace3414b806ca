package hub

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// retaining starts a hub with this retention. Its own background task deletes nothing, because
// everything is new.
func (b *bed) retaining(c RetentionConfig) *Hub {
	b.t.Helper()
	cfg, err := Load(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.Conn, cfg.Now, cfg.Retention = b.conn, b.now, c
	h, err := Open(b.t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(h.Close)
	return h
}

// Old events are deleted after every required consumer has acknowledged them. The last event of
// each kiosk stays, so that the kiosk goes on. A consumer for which the hub did not wait gets an
// error and no gap.
func TestRetention(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	office, slow, look := b.consumer(url, "office"), b.consumer(url, "slow"), b.consumer(url, "look")
	h := b.retaining(RetentionConfig{EventsDays: 1, EvidenceDays: 90, Optional: []string{"look", "slow"}})
	k2.send(k2.events(1), 1)
	for i := range 4 {
		k1.send(k1.events(1), uint64(i+1))
	}
	slow.ack(slow.pulled(1, "k2/1"))
	office.ack(office.pulled(3, "k2/1", "k1/1", "k1/2"))
	b.reviewed(t, h) // the reviews are readers too
	del := func(want ...string) {
		t.Helper()
		if err := h.deleteOld(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, _, err := look.Pull(t.Context(), "look", hubapi.Pull{Max: 100, After: "0"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(look.places(events), " "); got != strings.Join(want, " ") {
			t.Errorf("left are %s, want %s", got, want)
		}
	}
	all := []string{"k2/1", "k1/1", "k1/2", "k1/3", "k1/4"}
	del(all...) // nothing is old
	b.advance(25 * time.Hour)
	del("k1/3", "k1/4")
	k1.send(k1.events(1), 5)
	k2.send(k2.events(1), 2) // the hub still has the event to which this one links

	// A clock that is far ahead deletes nothing.
	office.ack(office.pulled(10, "k1/3", "k1/4", "k1/5", "k2/2"))
	b.advance(10 * 365 * 24 * time.Hour)
	del("k1/3", "k1/4", "k1/5", "k2/2")

	other := b.open()
	for _, hub := range []*Hub{h, other} {
		if _, _, err := hub.pull(t.Context(), "slow", hubapi.Pull{Max: 10}); err == nil || !strings.Contains(err.Error(), "were deleted since (retention)") {
			t.Errorf("the consumer that was not waited for: %v", err)
		}
	}
}

func TestRetentionBySize(t *testing.T) {
	b := newBed(t)
	url := b.serve()
	k1 := b.kiosk(url, "k1")
	b.consumer(url, "office") // has acknowledged nothing
	for i := range 8 {
		k1.send(k1.events(1), uint64(i+1))
	}
	info, err := streamInfo(t.Context(), b.feedStore().events)
	if err != nil {
		t.Fatal(err)
	}
	h := b.retaining(RetentionConfig{EventsDays: 400, EvidenceDays: 90, MaxGiB: float64(info.State.Bytes) / 2 / (1 << 30)})
	for _, tt := range []struct {
		after time.Duration
		want  uint64
	}{{0, 0}, {25 * time.Hour, 4}} {
		b.advance(tt.after)
		if evidence, events, err := h.expired(t.Context(), info); err != nil || events != tt.want || evidence != tt.want {
			t.Errorf("of 8 events the first %d are too many, and the evidence of %d, %v; want %d", events, evidence, err, tt.want)
		}
	}
	if err := h.archiveThrough(t.Context(), info, 6); err != nil {
		t.Fatal(err)
	}
	if info, err = streamInfo(t.Context(), h.events); err != nil {
		t.Fatal(err)
	}
	old, err := streamInfo(t.Context(), h.events.archive)
	if err != nil {
		t.Fatal(err)
	}
	h.config.Retention.MaxGiB = float64(info.State.Bytes+old.State.Bytes/2) / (1 << 30)
	if evidence, events, err := h.expired(t.Context(), info); err != nil || events != 3 || evidence > 6 {
		t.Errorf("of 6 archived events the first %d are too many, and the evidence of %d, %v; want 3", events, evidence, err)
	}
}

func TestRetentionSettings(t *testing.T) {
	for text, want := range map[string]string{
		"events_days = 0":         "retention.events_days must be from 1 to 36600",
		"evidence_days = 0":       "retention.evidence_days must be from 1 to 36600",
		"max_gib = -1.0":          "retention.max_gib must not be negative",
		`optional = ["No Name"]`:  `retention.optional: "No Name" is not the name of a consumer`,
		`optional = ["look"]`:     "",
		"events_days = 30":        "",
		"evidence = \"whatever\"": "unknown key",
	} {
		_, err := parseSettings([]byte("listen = \"127.0.0.1:1\"\nurl = \"https://h\"\n[retention]\n" + text + "\n"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
