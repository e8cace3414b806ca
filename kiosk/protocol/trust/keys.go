package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// Sizes of the RSA keys that are accepted. 2032 bits, not 2048: moduli a few
// bits short of the round number are in use on cards.
const (
	minRSABits  = 2032
	maxRSABits  = 4096
	minExponent = 65537 // FIPS 186-5 §A.1.1
)

// checkKey refuses a key that is weak or of a kind that is not used. The
// error reads on from "the certificate has …".
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

// primes are those up to 167, whose product the flawed generator works with
// for keys up to 2048 bits; that for longer keys is a multiple of it.
var primes = []uint64{
	2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// primorial is the product of primes. Whatever is asked of a modulus for each
// of them is asked of its remainder by it, which is short.
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

// isROCA tells whether n is a product of two primes of the form that the
// Infineon RSALib made, which many smart cards used: each is a power of 65537
// modulo the primorial, and so is n, modulo every small prime (Nemec et al.,
// The Return of Coppersmith's Attack, §3.2). A sound key passes for one with
// a chance below 2^-27.
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

// powers65537 has for each of primes the powers of 65537 modulo it.
var powers65537 = func() []map[uint64]bool {
	all := make([]map[uint64]bool, len(primes))
	for i, p := range primes {
		all[i] = map[uint64]bool{}
		for x := uint64(1); !all[i][x]; x = x * 65537 % p {
			all[i][x] = true
		}
	}
	return all
}()
