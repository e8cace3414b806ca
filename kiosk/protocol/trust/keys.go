package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// The accepted RSA keys. The minimum is 2032 bits, not 2048, because some cards
// use moduli that are a few bits shorter than the round number.
const (
	minRSABits  = 2032
	maxRSABits  = 4096
	minExponent = 65537 // FIPS 186-5 §A.1.1
)

// checkKey refuses a weak key and a key of an unsupported type. The error text
// continues the words "the certificate has …".
func checkKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		switch n := k.N.BitLen(); {
		case n < minRSABits || n > maxRSABits:
			return fmt.Errorf("an RSA key of %d bits: %d to %d are accepted", n, minRSABits, maxRSABits)
		case k.E < minExponent || k.E%2 == 0:
			return fmt.Errorf("an RSA key with public exponent %d: odd ones from %d are accepted", k.E, minExponent)
		case hasSmallFactor(k.N):
			return fmt.Errorf("an RSA key whose modulus has a small factor")
		case isROCA(k.N):
			return fmt.Errorf("an RSA key of a flawed generator (CVE-2017-15361, ROCA)")
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("an ECDSA key on %s: P-256, P-384 and P-521 are accepted", k.Params().Name)
	}
	return fmt.Errorf("a key of type %T: RSA and ECDSA are accepted", public)
}

// primes are the primes up to 167. The flawed generator (see isROCA) works with
// the product of these for keys of 512 to 960 bits, and with a multiple of that
// product for longer keys (Nemec et al., table 1).
var primes = [39]uint64{
	2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// primorial is the product of primes. A test of a modulus for each of these
// primes can use the remainder modulo primorial, which is much shorter than the
// modulus.
var primorial = func() *big.Int {
	m := big.NewInt(1)
	for _, p := range primes {
		m.Mul(m, new(big.Int).SetUint64(p))
	}
	return m
}()

func hasSmallFactor(n *big.Int) bool {
	return new(big.Int).GCD(nil, nil, new(big.Int).Mod(n, primorial), primorial).Cmp(big.NewInt(1)) != 0
}

// isROCA reports whether n is probably a modulus of the Infineon RSALib, which
// many smart cards used. That library made primes that are a power of 65537
// modulo the primorial. Hence n is a power of 65537 modulo every small prime
// too (Nemec et al., The Return of Coppersmith's Attack, §3.2). The probability
// of a false positive is below 2^-27.
func isROCA(n *big.Int) bool {
	r := new(big.Int).Mod(n, primorial)
	m := new(big.Int)
	for i, p := range primes {
		if !powers65537[i][m.Mod(r, m.SetUint64(p)).Uint64()] {
			return false
		}
	}
	return true
}

// powers65537 says, for each of primes and each remainder of that prime, whether
// the remainder is a power of 65537.
var powers65537 = func() (all [39][168]bool) {
	for i, p := range primes {
		for x := uint64(1); !all[i][x]; x = x * 65537 % p {
			all[i][x] = true
		}
	}
	return all
}()
