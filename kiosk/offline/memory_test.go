package offline_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/kiosk/offline"
)

// failing is a disk of which one access fails, and all after it.
type failing struct {
	*disk
	left int // accesses that succeed
}

func (f *failing) check() error {
	if f.left--; f.left < 0 {
		return errors.New("disk")
	}
	return nil
}

func (f *failing) Get(bucket, key string) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.disk.Get(bucket, key)
}

func (f *failing) Put(bucket string, values map[string][]byte) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.disk.Put(bucket, values)
}

func (f *failing) Each(bucket string, each func(string, []byte) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.disk.Each(bucket, each)
}

// Each access to the disk that fails is an error, so that no grant goes uncounted.
func TestMemoryOnAFailingDisk(t *testing.T) {
	key, other := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	holder := []byte("holder")
	for name, tt := range map[string]struct {
		use    func(m *offline.Memory, f *failing, w *offline.Witness) error
		needed int
	}{
		"open": {func(_ *offline.Memory, f *failing, w *offline.Witness) error {
			_, err := offline.OpenMemory(f, key, w)
			return err
		}, 3},
		"another key": {func(_ *offline.Memory, f *failing, w *offline.Witness) error {
			_, err := offline.OpenMemory(f, other, w)
			return err
		}, 8},
		"a known holder": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error { _, err := m.Known(holder); return err }, 1},
		"a new holder": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error {
			return m.AddKnown(map[string]int64{"new": 7})
		}, 2},
		"an older day": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error {
			return m.AddKnown(map[string]int64{"holder": 4})
		}, 1},
		"forget known":    {func(m *offline.Memory, _ *failing, _ *offline.Witness) error { return m.KeepKnown(8, 9) }, 2},
		"forget counters": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error { return m.DropGrantsBefore(9) }, 2},
		"a grant": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error {
			_, err := m.CountGrant(nil, 7, 0, 0)
			return err
		}, 2},
		"a holder's grant": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error {
			_, err := m.CountGrant(holder, 7, 9, 9)
			return err
		}, 3},
		"reset": {func(m *offline.Memory, _ *failing, _ *offline.Witness) error { return m.ResetGrants() }, 2},
	} {
		for left := 0; ; left++ {
			f := &failing{&disk{values: map[string][]byte{}}, 1000}
			w, err := offline.OpenWitness(filepath.Join(t.TempDir(), "witness.json"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := offline.OpenMemory(f, key, w)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.AddKnown(map[string]int64{"holder": 5}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.CountGrant(holder, 5, 9, 9); err != nil {
				t.Fatal(err)
			}
			f.left = left
			if err := tt.use(m, f, w); err == nil {
				if left != tt.needed {
					t.Errorf("%s succeeds with %d accesses, not %d", name, left, tt.needed)
				}
				break
			}
		}
	}
}

// The limit of a holder is that of a day, and counts from the first grant.
func TestCountGrant(t *testing.T) {
	w, err := offline.OpenWitness(filepath.Join(t.TempDir(), "witness.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := offline.OpenMemory(&disk{values: map[string][]byte{}}, []byte("key"), w)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		holder              string
		day                 int64
		perHolder, perKiosk int
		ok                  bool
	}{
		{"a", 1, 1, 5, true}, {"a", 1, 1, 5, false}, {"a", 1, 2, 5, true}, {"a", 1, 2, 5, false}, {"a", 2, 2, 5, true}, {"a", 2, 2, 5, true},
		{"b", 2, 1, 4, false}, {"b", 2, 1, 5, true}, {"b", 3, 1, 5, false}, {"b", 3, 1, 0, true}, {"", 3, 0, 0, true},
	} {
		if ok, err := m.CountGrant([]byte(c.holder), c.day, c.perHolder, c.perKiosk); ok != c.ok || err != nil {
			t.Errorf("grant %d: %v, %v", i, ok, err)
		}
	}
}

// Of all small limits, grants are counted exactly, and lost counters count as used up.
func TestEveryLimit(t *testing.T) {
	for n := range 2 * 4 * 4 {
		lost, perHolder, perKiosk := n%2 == 1, n/2%4, n/8
		path := filepath.Join(t.TempDir(), "witness.json")
		if lost {
			if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := offline.OpenWitness(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := offline.OpenMemory(&disk{values: map[string][]byte{}}, []byte("key"), w)
		if err != nil {
			t.Fatal(err)
		}
		for i, all, each := 0, 0, map[string]int{}; i < 8; i++ {
			holder := string("abba"[i%4])
			want := !(lost && perHolder+perKiosk > 0) && (perKiosk == 0 || all < perKiosk) && (perHolder == 0 || each[holder] < perHolder)
			if ok, err := m.CountGrant([]byte(holder), 7, perHolder, perKiosk); ok != want || err != nil {
				t.Errorf("lost %v, limits %d and %d, grant %d: %v, %v", lost, perHolder, perKiosk, i, ok, err)
			}
			if want {
				all++
				each[holder]++
			}
		}
	}
}

// After a reset the counters are not taken for lost ones, also after a restart.
func TestResetGrants(t *testing.T) {
	d := &disk{values: map[string][]byte{}}
	w, err := offline.OpenWitness(filepath.Join(t.TempDir(), "witness.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := offline.OpenMemory(d, []byte("key"), w)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if ok, err := m.CountGrant([]byte("a"), 1, 1, 1); !ok || err != nil {
			t.Errorf("the first grant: %v, %v", ok, err)
		}
		if ok, err := m.CountGrant([]byte("b"), 1, 1, 1); ok || err != nil {
			t.Errorf("the second grant: %v, %v", ok, err)
		}
		if err := m.ResetGrants(); err != nil {
			t.Fatal(err)
		}
		if m, err = offline.OpenMemory(d, []byte("key"), w); err != nil || m.Lost() {
			t.Fatalf("lost, %v", err)
		}
	}
}

// A value of another length is an error, and is forgotten with the old ones.
func TestOddValues(t *testing.T) {
	d := &disk{values: map[string][]byte{}}
	w, err := offline.OpenWitness(filepath.Join(t.TempDir(), "witness.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := offline.OpenMemory(d, []byte("key"), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddKnown(map[string]int64{"a": 5, "b": 6, "c": 7, "d": 8}); err != nil {
		t.Fatal(err)
	}
	if err := m.KeepKnown(6, 7); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"a": 0, "b": 6, "c": 7, "d": 0} {
		if day, err := m.Known([]byte(name)); day != want || err != nil {
			t.Errorf("%s: day %d, %v", name, day, err)
		}
	}
	for key := range d.values {
		if len(key) > 6 && key[:6] == "known/" {
			d.values[key] = make([]byte, 9)
		}
	}
	if _, err := m.Known([]byte("b")); err == nil {
		t.Error("a day of 9 bytes was read")
	}
	if err := m.KeepKnown(0, 9); err != nil {
		t.Fatal(err)
	}
	if day, err := m.Known([]byte("b")); day != 0 || err != nil {
		t.Errorf("a day of 9 bytes is kept: %d, %v", day, err)
	}
	d.values["offline-grants/changes"] = []byte("x")
	if _, err := offline.OpenMemory(d, []byte("key"), w); err == nil {
		t.Error("opened with a number of 1 byte")
	}
}

// The witness tells a new kiosk from one whose file is damaged, and writes only what is new.
func TestWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness.json")
	w, err := offline.OpenWitness(path)
	if err != nil {
		t.Fatal(err)
	}
	if issued, ever := w.Followed(); ever || !issued.IsZero() {
		t.Errorf("a new kiosk has followed a policy of %s", issued)
	}
	if err := w.Follow(made); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := w.Follow(made.In(time.FixedZone("", 3600))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the same policy was written again")
	}
	if err := w.Follow(made.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if w, err = offline.OpenWitness(path); err != nil {
		t.Fatal(err)
	}
	if issued, ever := w.Followed(); !ever || !issued.Equal(made.Add(time.Second)) {
		t.Errorf("followed %s, %v", issued, ever)
	}
	for _, text := range []string{"x", "{}", "null", ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		damaged, err := offline.OpenWitness(path)
		if err != nil {
			t.Fatal(err)
		}
		if issued, ever := damaged.Followed(); !ever || !issued.IsZero() {
			t.Errorf("%q: followed %s, %v", text, issued, ever)
		}
		if err := damaged.Follow(time.Time{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := offline.OpenWitness(filepath.Dir(path)); err == nil {
		t.Error("opened a folder")
	}
}
