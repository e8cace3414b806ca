package raucbundle

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// bundle reads a bundle that RAUC 1.8 made ("rauc bundle").
func bundle(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readBytes(b []byte) (Manifest, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestRead(t *testing.T) {
	for name, version := range map[string]string{"verity.raucb": "1.5.0", "older.raucb": "1.4.0"} {
		got, err := readBytes(bundle(t, name))
		if want := (Manifest{"smartkiosk-arm64", version}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
}

// withCMS replaces the signature of a bundle, which has no size of its own.
func withCMS(cms []byte) []byte {
	return binary.BigEndian.AppendUint64(append([]byte("hsqs squashfs "), cms...), uint64(len(cms)))
}

func TestBadBundles(t *testing.T) {
	good := bundle(t, "verity.raucb")
	change := func(old, new string) []byte {
		return bytes.ReplaceAll(good, []byte(old), []byte(new)) // the squashfs has it too
	}
	for _, c := range []struct {
		what, want string
		bundle     []byte
	}{
		{"nothing", "too short", nil},
		{"text", "no RAUC bundle", []byte("This is a text and no bundle at all.")},
		{"cut", "no signature at its end", good[:len(good)-100]},
		{"zeros after it", "no signature at its end", append(bytes.Clone(good), 0, 0, 0, 0, 0, 0, 0, 0)},
		{"plain format", "format=verity", bundle(t, "plain.raucb")},
		{"damaged signature", "no CMS SignedData", withCMS([]byte{0x30, 0x03, 1, 2, 3})},
		{"unfinished length", "no CMS SignedData", withCMS([]byte{0x30, 0x84, 0xff})},
		{"no version", `version is ""`, change("version=1.5.0", "Version=1.5.0")},
		{"odd version", `version is "1 5.0"`, change("version=1.5.0", "version=1 5.0")},
		{"no compatible", `compatible is ""`, change("compatible=", "comparable=")},
	} {
		if _, err := readBytes(c.bundle); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
	if _, err := Read(bytes.NewReader(good), MaxSize+1); err == nil || !strings.Contains(err.Error(), "maximum") {
		t.Errorf("too large: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(bundle(f, "verity.raucb"))
	f.Add(bundle(f, "plain.raucb"))
	f.Add(withCMS([]byte{0x30, 0x80, 0, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readBytes(b)
		if err == nil && (!ValidName(m.Version) || !ValidName(m.Compatible)) {
			t.Errorf("accepted %+v", m)
		}
	})
}
