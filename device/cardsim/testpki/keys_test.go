package testpki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write keys.pem again: keep the keys that keySizes names, and create missing ones")

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
	known, err := published()
	if err != nil {
		return err
	}
	for name, key := range known { // what has been published stays as it is
		if _, named := made[name]; named {
			made[name] = key
		}
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
		have := 0
		switch key := k[name].(type) {
		case *rsa.PrivateKey:
			have = key.N.BitLen()
		case *ecdsa.PrivateKey:
			have = key.Params().BitSize
		}
		if have != bits {
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
