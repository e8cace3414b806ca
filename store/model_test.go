package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestModel compares the outbox with a slice in memory, through appends, failed
// appends, acknowledgements, dead letters, compaction, closes and crashes.
func TestModel(t *testing.T) {
	folder := t.TempDir()
	var runs int
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(folder, fmt.Sprintf("%d.db", runs))
		o := Options{Keep: rapid.SampledFrom([]int{0, 0, 3, 1000}).Draw(t, "keep")}
		s, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		reopen := func(t *rapid.T) {
			if s, err = Open(path, o); err != nil {
				t.Fatal(err)
			}
		}
		var (
			records []Record // all that were ever appended
			acked   uint64
			moved   = map[uint64]bool{}
			link    []byte
		)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				text := strings.Repeat("x", rapid.IntRange(0, 9000).Draw(t, "size"))
				var record, next []byte
				seq, err := s.Append(func(seq uint64, prev []byte) (_, _ []byte, err error) {
					if !slices.Equal(prev, link) {
						t.Fatalf("record %d is to follow %x, want %x", seq, prev, link)
					}
					record, next, err = sealText(text)(seq, prev)
					return record, next, err
				})
				if err != nil {
					t.Fatal(err)
				}
				records, link = append(records, Record{Sequence: seq, Data: record}), next
				if seq != uint64(len(records)) {
					t.Fatalf("sequence %d, want %d", seq, len(records))
				}
			},
			"refused append": func(t *rapid.T) {
				if _, err := s.Append(func(uint64, []byte) ([]byte, []byte, error) { return nil, nil, ErrFull }); err == nil {
					t.Fatal("appended")
				}
			},
			"ack": func(t *rapid.T) {
				through := rapid.Uint64Range(0, uint64(len(records))).Draw(t, "through")
				if err := s.Ack(through); err != nil {
					t.Fatal(err)
				}
				acked = max(acked, through)
			},
			"compact": func(t *rapid.T) {
				if err := s.Compact(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
			},
			"park": func(t *rapid.T) {
				if acked == uint64(len(records)) {
					return
				}
				seq := rapid.Uint64Range(acked+1, uint64(len(records))).Draw(t, "park")
				standIn := []byte("stand-in")
				err := s.MoveToDeadLetters(seq, func([]byte, Record) ([]byte, error) { return standIn, nil })
				if (err != nil) != moved[seq] {
					t.Fatalf("moving record %d to the dead letters: %v", seq, err)
				}
				if err == nil {
					moved[seq] = true
					records[seq-1].Data = standIn
				}
			},
			"close": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				reopen(t)
			},
			"crash": func(t *rapid.T) {
				// Simulate a killed process: nothing more is flushed.
				if err := s.db.Close(); err != nil {
					t.Fatal(err)
				}
				if err := s.lock.Close(); err != nil {
					t.Fatal(err)
				}
				reopen(t)
				if n := len(records) - s.Len(); n > int(acked) || int(acked)-n > maxUnwritten {
					t.Fatalf("%d records are deleted after a crash, %d were acknowledged", n, acked)
				}
				acked = uint64(len(records) - s.Len())
			},
			"": func(t *rapid.T) {
				after := rapid.Uint64Range(0, uint64(len(records))+1).Draw(t, "after")
				limit := rapid.IntRange(0, 5).Draw(t, "limit")
				got, err := s.Pending(after, limit)
				if err != nil {
					t.Fatal(err)
				}
				want := records[min(max(after, acked), uint64(len(records))):]
				want = want[:min(limit, len(want))]
				same := func(a, b Record) bool { return a.Sequence == b.Sequence && slices.Equal(a.Data, b.Data) }
				if !slices.EqualFunc(got, want, same) {
					t.Fatalf("%d records pending after %d, want %d", len(got), after, len(want))
				}
				if s.Len() != len(records)-int(acked) {
					t.Fatalf("length %d, want %d", s.Len(), len(records)-int(acked))
				}
			},
		})
	})
}
