package testpki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write keys.pem anew, with the keys that keySizes names")

func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		if err := writeKeys(); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func writeKeys() error {
	made, err := generate()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(made)) {
		der, err := x509.MarshalPKCS8PrivateKey(made[name])
		if err != nil {
			return err
		}
		if err := pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Name": name}, Bytes: der}); err != nil {
			return err
		}
	}
	return os.WriteFile("keys.pem", b.Bytes(), 0o644)
}

// TestPublishedKeys checks that keys.pem holds the keys that keySizes names.
func TestPublishedKeys(t *testing.T) {
	k, err := published()
	if err != nil {
		t.Fatal(err)
	}
	for name, bits := range keySizes {
		if k[name] == nil || k[name].N.BitLen() != bits {
			t.Errorf("no key %q of %d bits", name, bits)
		}
	}
	if len(k) != len(keySizes) {
		t.Errorf("%d keys, keySizes names %d", len(k), len(keySizes))
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
