package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"
)

// modulus returns a number of n bits that is r modulo the primorial.
func modulus(n int, r *big.Int) *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), uint(n-1))
	m.Sub(m, new(big.Int).Mod(m, primorial))
	if m.Add(m, r).BitLen() < n {
		m.Add(m, primorial)
	}
	return m
}

// coprime is no multiple of a small prime, and no power of 65537 modulo all of them.
var coprime = big.NewInt(173)

func TestCheckKey(t *testing.T) {
	key := func(bits, e int) crypto.PublicKey { return &rsa.PublicKey{N: modulus(bits, coprime), E: e} }
	power := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), primorial)
	for name, tt := range map[string]struct {
		key  crypto.PublicKey
		want string // a part of the error
	}{
		"RSA 2048":                     {key(2048, 65537), ""},
		"the shortest RSA":             {key(2032, 65537), ""},
		"the longest RSA":              {key(4096, 65537), ""},
		"RSA too short":                {key(2031, 65537), "an RSA key of 2031 bits: 2032 to 4096 are accepted"},
		"RSA too long":                 {key(4097, 65537), "an RSA key of 4097 bits: 2032 to 4096 are accepted"},
		"a larger exponent":            {key(2048, 65539), ""},
		"an exponent divisible by 3":   {key(2048, 65541), ""},
		"a smaller exponent":           {key(2048, 65535), "an RSA key with public exponent 65535: odd ones from 65537 are accepted"},
		"an even exponent":             {key(2048, 65538), "an RSA key with public exponent 65538"},
		"made by the flawed library":   {&rsa.PublicKey{N: modulus(2048, power), E: 65537}, "ROCA"},
		"P-256":                        {&ecdsa.PublicKey{Curve: elliptic.P256()}, ""},
		"P-384":                        {&ecdsa.PublicKey{Curve: elliptic.P384()}, ""},
		"P-521":                        {&ecdsa.PublicKey{Curve: elliptic.P521()}, ""},
		"P-224":                        {&ecdsa.PublicKey{Curve: elliptic.P224()}, "an ECDSA key on P-224"},
		"a key of an unsupported type": {ed25519.PublicKey(make([]byte, 32)), "a key of type ed25519.PublicKey: RSA and ECDSA are accepted"},
	} {
		err := checkKey(tt.key)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestSmallPrimes: a modulus with any prime factor up to 167 is refused. A modulus
// that differs from those of the flawed library modulo one prime only is not taken
// for one of them, if that prime can tell them apart.
func TestSmallPrimes(t *testing.T) {
	power := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), primorial)
	telling := 0
	for p := int64(2); p <= 167; p++ {
		prime := big.NewInt(p)
		if !prime.ProbablyPrime(0) {
			continue
		}
		cofactor := modulus(2048, coprime)
		if n := new(big.Int).Mul(cofactor, prime); !hasSmallFactor(n) {
			t.Errorf("a multiple of %d has no small factor", p)
		}
		powers := map[int64]bool{}
		for x := int64(1); !powers[x]; x = x * 65537 % p {
			powers[x] = true
		}
		// Change the remainder modulo p, and no other remainder.
		others := new(big.Int).Div(primorial, prime)
		for k := int64(1); k < p; k++ {
			n := new(big.Int).Add(power, new(big.Int).Mul(others, big.NewInt(k)))
			r := new(big.Int).Mod(n, prime).Int64()
			if r != 0 && !powers[r] {
				if telling++; isROCA(modulus(2048, n.Mod(n, primorial))) {
					t.Errorf("a modulus that is %d modulo %d is taken for a flawed one", r, p)
				}
				break
			}
		}
	}
	if hasSmallFactor(modulus(2048, coprime)) || telling < 10 {
		t.Errorf("%d primes tell a flawed modulus from another", telling)
	}
}
