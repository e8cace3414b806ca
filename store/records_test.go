package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/store"
)

func openRecords(t *testing.T, path string) *store.Records {
	t.Helper()
	r, err := store.OpenRecords(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	r := openRecords(t, path)
	large := bytes.Repeat([]byte("x"), store.MaxValueSize)
	for bucket, values := range map[string]map[string][]byte{
		"a":  {"1": []byte("one"), "2": {}, "3": large},
		"a2": {"1": []byte("another")},
	} {
		if err := r.Put(bucket, values); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Put("a", map[string][]byte{"1": []byte("changed"), "4": append(large, 'x')}); err == nil {
		t.Error("Put accepted a value that is too large")
	}
	if err := r.Put("a", map[string][]byte{"2": nil, "never": nil}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenRecords(path); !errors.Is(err, store.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	r = openRecords(t, path)
	if v, err := r.Get("a", "1"); string(v) != "one" || err != nil {
		t.Errorf("after a write with one invalid value: %q, %v", v, err)
	}
	for _, key := range [][2]string{{"a", "2"}, {"a", "9"}, {"b", "1"}} {
		if v, err := r.Get(key[0], key[1]); v != nil || err != nil {
			t.Errorf("%v: %q, %v", key, v, err)
		}
	}
	var keys []string
	if err := r.Each("a", func(key string, value []byte) error {
		keys = append(keys, key)
		return nil
	}); err != nil || !slices.Equal(keys, []string{"1", "3"}) {
		t.Errorf("bucket a has %q, %v", keys, err)
	}
	stop := errors.New("stop")
	if err := r.Each("a2", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each gave %v", err)
	}
}

// A changed byte in a value or a page's header is detected and crashes no
// program. MoveDamaged makes way for a new file.
func TestRecordsDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "records.db")
	r := openRecords(t, path)
	if err := r.Put("policy", map[string][]byte{"current": []byte("what the hub has said")}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(sound, []byte("what the hub"))
	cut := sound[:len(sound)/4096/2*4096/2]
	for name, text := range map[string][]byte{
		"value": slices.Replace(bytes.Clone(sound), at, at+1, 'W'),
		"cut":   cut,
		"empty": {},
		"noise": bytes.Repeat([]byte("noise"), 4096),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenRecords(path); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	aside, err := store.MoveDamaged(path, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil || !strings.HasSuffix(aside, ".damaged-20260102T030405Z") {
		t.Fatalf("moved to %s, %v", aside, err)
	}
	if v, err := openRecords(t, path).Get("policy", "current"); v != nil || err != nil {
		t.Errorf("the new file has %q, %v", v, err)
	}
}

func TestRecordsAreNoOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenRecords(path); !errors.Is(err, store.ErrSchema) {
		t.Errorf("an outbox as records: %v", err)
	}
}
