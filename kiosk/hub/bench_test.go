package hub

import (
	"encoding/json"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
)

// BenchmarkIntake measures the whole intake of events: TLS, opening, checks, and writing to
// disk.
func BenchmarkIntake(b *testing.B) {
	bed := newBed(b)
	k1 := bed.kiosk(bed.serve(), "k1")
	const batch = 100
	for b.Loop() {
		b.StopTimer()
		events := k1.events(batch)
		b.StartTimer()
		k1.send(events, k1.sequence)
	}
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFeed measures how fast a consumer gets events, one full batch per request.
func BenchmarkFeed(b *testing.B) {
	bed := newBed(b)
	url := bed.serve()
	k1 := bed.kiosk(url, "k1")
	k1.send(k1.events(hubapi.MaxEvents), hubapi.MaxEvents)
	h := bed.open()
	for b.Loop() {
		read, err := h.read(b.Context(), reading{}, hubapi.Pull{Max: hubapi.MaxEvents})
		var events []json.RawMessage
		if err != nil || json.Unmarshal(read.Array(), &events) != nil || len(events) != hubapi.MaxEvents {
			b.Fatalf("read %d events: %v", len(events), err)
		}
	}
	b.ReportMetric(float64(hubapi.MaxEvents*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkChallenge measures how fast challenges are made and spent, both written to disk.
func BenchmarkChallenge(b *testing.B) {
	h := newBed(b).open()
	for b.Loop() {
		c, err := h.newChallenge(b.Context(), "k1")
		if err != nil {
			b.Fatal(err)
		}
		if reason, err := h.spend(b.Context(), c.Nonce, "k1", "v"); err != nil || reason != "" {
			b.Fatal(reason, err)
		}
	}
}

// BenchmarkArchive measures how fast evidence is deleted: each event is a message, as in normal
// operation, which is copied and deleted.
func BenchmarkArchive(b *testing.B) {
	bed := newBed(b)
	k1, h := bed.kiosk(bed.serve(), "k1"), bed.open()
	const events = 100
	for b.Loop() {
		b.StopTimer()
		for range events {
			k1.send(k1.events(1), k1.sequence)
		}
		info, err := streamInfo(b.Context(), h.events)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		h.archiveUpTo(b, info.State.LastSeq-1)
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}
