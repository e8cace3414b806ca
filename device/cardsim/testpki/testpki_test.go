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

var update = flag.Bool("update", false, "write keys.pem anew, for keySizes as it stands")

// TestPublishedKeys checks that keys.pem holds the keys that keySizes names.
func TestPublishedKeys(t *testing.T) {
	if *update {
		made, err := generate()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, name := range slices.Sorted(maps.Keys(made)) {
			der, err := x509.MarshalPKCS8PrivateKey(made[name])
			if err != nil {
				t.Fatal(err)
			}
			if err := pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"Name": name}, Bytes: der}); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile("keys.pem", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	k, err := published()
	if err != nil {
		t.Fatal(err)
	}
	for name, bits := range keySizes {
		if k[name] == nil || k[name].N.BitLen() != bits {
			t.Errorf("keys.pem has no key %q of %d bits", name, bits)
		}
	}
	if len(k) != len(keySizes) {
		t.Errorf("keys.pem has %d keys, keySizes names %d", len(k), len(keySizes))
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
