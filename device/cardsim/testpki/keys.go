package testpki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"runtime"
	"sync"
)

// publishedPEM is one key for each name in keySizes, PKCS #8 with the name as
// a PEM header. It is as public as the rest of the source.
//
//go:embed keys.pem
var publishedPEM []byte

// keySizes names every key of a PKI, with its size in bits. The issuing CA
// and its root have the size of the real ones.
var keySizes = func() map[string]int {
	sizes := map[string]int{"root": 4096, "person-ca": 4096, "foreign-root": 2048, "foreign-ca": 2048, "ocsp": 2048}
	for _, c := range cast {
		sizes[c.card+" signature"] = 2048
		if !c.signOnly {
			sizes[c.card+" authentication"] = 2048
		}
	}
	return sizes
}()

// keys holds the keys of one PKI by name.
type keys map[string]*rsa.PrivateKey

// published parses keys.pem once in a process; it takes some milliseconds.
var published = sync.OnceValues(func() (keys, error) {
	parsed := make(keys)
	for rest := publishedPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return parsed, nil
		}
		name := block.Headers["Name"]
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read published key %q: %w", name, err)
		}
		parsed[name] = key.(*rsa.PrivateKey)
	}
})

// generate makes new keys, on all cores.
func generate() (keys, error) {
	var (
		made  = make(keys)
		first error
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, runtime.GOMAXPROCS(0))
	)
	for name, bits := range keySizes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			key, err := rsa.GenerateKey(rand.Reader, bits)
			mu.Lock()
			defer mu.Unlock()
			if made[name] = key; err != nil && first == nil {
				first = fmt.Errorf("cannot generate key %q: %w", name, err)
			}
		})
	}
	wg.Wait()
	return made, first
}
