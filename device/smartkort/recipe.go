package smartkort

import (
	"bytes"
	"crypto"
	"fmt"

	"smartkiosk/device/apdu/tlv"
)

// PKCS #11 mechanisms, which AlgorithmInfo uses for what a card can do (PKCS
// #11 v2.40 §6).
const (
	rsaPKCS = 0x0001 // CKM_RSA_PKCS: over a DigestInfo
	rsaX509 = 0x0003 // CKM_RSA_X_509: over a whole block
	rsaPSS  = 0x000D // CKM_RSA_PKCS_PSS: over a hash
	ecdsa00 = 0x1041 // CKM_ECDSA: over a hash
)

// Mechanisms for one hash algorithm: CKM_SHAxxx_RSA_PKCS,
// CKM_SHAxxx_RSA_PKCS_PSS, CKM_ECDSA_SHAxxx. Such a card still receives the
// finished hash.
var (
	rsaPKCSOf = map[crypto.Hash]int{crypto.SHA256: 0x40, crypto.SHA384: 0x41, crypto.SHA512: 0x42}
	rsaPSSOf  = map[crypto.Hash]int{crypto.SHA256: 0x43, crypto.SHA384: 0x44, crypto.SHA512: 0x45}
	ecdsaOf   = map[crypto.Hash]int{crypto.SHA256: 0x1044, crypto.SHA384: 0x1045, crypto.SHA512: 0x1046}
)

// digestInfo is the DER of DigestInfo up to the digest (RFC 8017 §9.2 note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: []byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
	crypto.SHA384: []byte("\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"),
	crypto.SHA512: []byte("\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"),
}

// recipe is how one signature is made.
type recipe struct {
	name      string // see Signing
	algorithm int    // reference in MSE SET, -1 for none
}

// way is the recipe for a mechanism.
type way struct {
	mechanism int
	recipe    string
}

// rsaPKCS returns how a key signs by PKCS #1 v1.5.
func (c *Card) rsaPKCS(k Key, hash crypto.Hash) (recipe, error) {
	return c.choose("rsa", k, recipeDigestInfo, hash, way{rsaPKCS, recipeDigestInfo}, way{rsaPKCSOf[hash], recipeHash}, way{rsaX509, recipeBlock})
}

// rsaPSS returns how a key signs by PSS.
func (c *Card) rsaPSS(k Key, hash crypto.Hash) (recipe, error) {
	for _, s := range c.profile.Sign {
		if s.Key == "rsa" && s.Recipe != recipeBlock {
			return recipe{}, fmt.Errorf("%w: PSS by recipe %s", ErrUnsupportedKey, s.Recipe)
		}
	}
	return c.choose("rsa", k, "", hash, way{rsaPSSOf[hash], recipeHash}, way{rsaPSS, recipeHash}, way{rsaX509, recipeBlock})
}

// ecdsa returns how a key signs by ECDSA.
func (c *Card) ecdsa(k Key, hash crypto.Hash) (recipe, error) {
	return c.choose("ec", k, recipeHash, hash, way{ecdsa00, recipeHash}, way{ecdsaOf[hash], recipeHash})
}

// choose returns the profile's recipe. If the profile has none, it returns the
// recipe of the first way that the card lists for the key. If the card lists
// no algorithms for the key, it returns usual.
func (c *Card) choose(kind string, k Key, usual string, hash crypto.Hash, ways ...way) (recipe, error) {
	for _, s := range c.profile.Sign {
		if s.Key == kind {
			r := recipe{name: s.Recipe, algorithm: -1}
			if s.Algorithm != nil {
				r.algorithm = int(*s.Algorithm)
			}
			return r, nil
		}
	}
	told := false
	for _, w := range ways {
		for _, ref := range k.algorithms {
			for _, a := range c.token.algorithms {
				if a.reference != ref || !a.signs {
					continue
				}
				told = true
				if a.mechanism == w.mechanism {
					return recipe{w.recipe, a.card}, nil
				}
			}
		}
	}
	if told || usual == "" {
		return recipe{}, fmt.Errorf("%w: the card says that its key knows no %s over %v", ErrUnsupportedKey, kind, hash)
	}
	return recipe{usual, -1}, nil
}

// environment returns the data of MSE: SET: the algorithm reference (80), if
// there is one, and the key by its reference (84) or its file (81), as far as
// the directory states them (ISO 7816-4 §10.3.3).
func (k Key) environment(r recipe) []byte {
	var crt []byte
	if r.algorithm >= 0 {
		crt = tlv.Append(crt, 0x80, byte(r.algorithm))
	}
	if k.Reference >= 0 {
		crt = tlv.Append(crt, 0x84, byte(k.Reference))
	} else if len(k.Path.File) >= 2 {
		crt = tlv.Append(crt, 0x81, k.Path.File[len(k.Path.File)-2:]...)
	}
	return crt
}

// pkcs1 returns what is sent to the card for a signature by PKCS #1 v1.5 (RFC
// 8017 §9.2): the hash, the DigestInfo, or a padded block of size bytes.
func (r recipe) pkcs1(digest []byte, hash crypto.Hash, size int) []byte {
	if r.name == recipeHash {
		return digest
	}
	info := append(bytes.Clone(digestInfo[hash]), digest...)
	if r.name != recipeBlock {
		return info
	}
	filling := bytes.Repeat([]byte{0xFF}, max(8, size-len(info)-3))
	return append(append(append([]byte{0x00, 0x01}, filling...), 0x00), info...)
}
