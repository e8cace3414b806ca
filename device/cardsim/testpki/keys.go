package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"runtime"
	"sync"
)

// publishedPEM has one key for each name in keySizes, in PKCS #8 with the name
// as a PEM header. These keys are public like the rest of the source.
//
//go:embed keys.pem
var publishedPEM []byte

// keySizes lists every key of a PKI with its size in bits: 256 and 384 for
// elliptic curves, more for RSA. The issuing CA and its root have the sizes of
// the real ones.
var keySizes = func() map[string]int {
	sizes := map[string]int{"root": 4096, "person-ca": 4096, "foreign-root": 2048, "foreign-ca": 2048, "ocsp": 2048, "company-ca": 256}
	for _, c := range cast {
		sizes[c.card+" signature"] = 2048
		if !c.signOnly {
			sizes[c.card+" authentication"] = 2048
		}
	}
	for _, c := range kindCast {
		for name, bits := range c.keys {
			sizes[c.card+" "+name] = bits
		}
	}
	return sizes
}()

// keys holds the keys of one PKI by name.
type keys map[string]crypto.Signer

func (k keys) rsa(name string) *rsa.PrivateKey { return k[name].(*rsa.PrivateKey) }

// published parses keys.pem once per process. It takes some milliseconds. A program that
// only mints new keys does not contain keys.pem, because nothing in it refers to this
// function.
func published() (keys, error) {
	parsing.Do(func() { parsed, parseError = parsePublished() })
	return parsed, parseError
}

var (
	parsing    sync.Once
	parsed     keys
	parseError error
)

func parsePublished() (keys, error) {
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
		parsed[name] = key.(crypto.Signer)
	}
}

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
			key, err := newKey(bits)
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

func newKey(bits int) (crypto.Signer, error) {
	switch bits {
	case 256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case 384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}
