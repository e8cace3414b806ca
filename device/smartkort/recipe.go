package smartkort

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"

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
	Form      string // see Signing.Recipe
	Algorithm int    // algorithm reference in MSE SET, -1 for none
	Described bool   // the card states the algorithm reference for this key
	KeyBy     string // see Signing.KeyBy; byReference when empty
	Class     byte   // see Signing.Class
}

// same reports whether two recipes are the same for different keys. An algorithm
// that the card states for each key may differ, and the class, which tryRecipes sets.
func (r recipe) same(other recipe) bool {
	if r.Described && other.Described {
		r.Algorithm = other.Algorithm
	}
	r.Class = other.Class
	return r == other
}

// wholeBlock reports whether the host pads the data of an RSA key.
func (r recipe) wholeBlock() bool {
	return r.Form == recipeBlock || r.Form == recipeGeneral || r.Form == recipeDecipher
}

// Ways to name the key in MSE SET (ISO 7816-4 §10.3.3).
const (
	byReference = ""              // by the key reference, tag 84; by tag 81 when the card states none
	byFile      = "file"          // by the file, tag 81, and the key reference
	bySelection = "selected-file" // by the file, which is selected before, and key reference 00
)

// maxRecipes is how many recipes a visit tries at most.
const maxRecipes = 12

// scheme is a kind of signature for which cards have recipes.
type scheme struct {
	name      string
	key       string   // in Signing.Key
	described []form   // in the order of preference
	standard  []recipe // tried in this order when the card does not describe its algorithms or refuses
}

// form is the recipe for a mechanism.
type form struct {
	mechanism int
	recipe    string
}

// standardPKCS are the recipes for RSA with PKCS #1 v1.5 that are known from
// standards and public documents, from the usual to the odd. Algorithm 02 is
// RSA with PKCS #1 padding on several cards. IsoApplet uses 11. MyEID and OsEID
// use 00 with a padded block for the selected key file; MyEID before version 4.5
// takes the block by DECIPHER.
var standardPKCS = []recipe{
	{Form: recipeDigestInfo, Algorithm: -1},
	{Form: recipeDigestInfo, Algorithm: 0x02},
	{Form: recipeDigestInfo, Algorithm: 0x11},
	{Form: recipeBlock, Algorithm: 0x00, KeyBy: bySelection},
	{Form: recipeDigestInfo, Algorithm: 0x02, KeyBy: bySelection},
	{Form: recipeDigestInfo, Algorithm: -1, KeyBy: byFile},
	{Form: recipeBlock, Algorithm: -1},
	{Form: recipeBlock, Algorithm: 0x00},
	{Form: recipeHash, Algorithm: -1},
	{Form: recipeInternal, Algorithm: -1},
	{Form: recipeGeneral, Algorithm: -1},
	{Form: recipeDecipher, Algorithm: 0x00, KeyBy: bySelection},
}

// standardPSS are the recipes for RSA with PSS, padded by the host.
var standardPSS = []recipe{
	{Form: recipeBlock, Algorithm: -1},
	{Form: recipeBlock, Algorithm: 0x00, KeyBy: bySelection},
	{Form: recipeGeneral, Algorithm: -1},
	{Form: recipeDecipher, Algorithm: 0x00, KeyBy: bySelection},
}

// standardEC are the recipes for ECDSA. IsoApplet uses algorithm 21, MyEID and
// OsEID 04, the Estonian card of 2018 internal-authenticate with 04, FinEID
// hash-command with 44 or 54 by the hash.
var standardEC = []recipe{
	{Form: recipeHash, Algorithm: -1},
	{Form: recipeHash, Algorithm: 0x21},
	{Form: recipeHash, Algorithm: 0x04, KeyBy: bySelection},
	{Form: recipeHash, Algorithm: 0x00, KeyBy: bySelection},
	{Form: recipeHash, Algorithm: -1, KeyBy: byFile},
	{Form: recipeInternal, Algorithm: -1},
	{Form: recipeInternal, Algorithm: 0x04},
	{Form: recipeHashFirst, Algorithm: 0x44},
	{Form: recipeHashFirst, Algorithm: 0x54},
	{Form: recipeGeneral, Algorithm: -1},
}

func pkcsScheme(hash crypto.Hash) scheme {
	return scheme{"rsa-pkcs1", "rsa", []form{{rsaPKCS, recipeDigestInfo}, {rsaPKCSOf[hash], recipeHash}, {rsaX509, recipeBlock}}, standardPKCS}
}

func pssScheme(hash crypto.Hash) scheme {
	return scheme{"rsa-pss", "rsa", []form{{rsaPSSOf[hash], recipeHash}, {rsaPSS, recipeHash}, {rsaX509, recipeBlock}}, standardPSS}
}

func ecScheme(hash crypto.Hash) scheme {
	return scheme{"ecdsa", "ec", []form{{ecdsa00, recipeHash}, {ecdsaOf[hash], recipeHash}}, standardEC}
}

// recipes returns the recipes to try for a key, in this order. If the profile
// has recipes, there are no others. Otherwise those that the card lists for the
// key come first and the standard ones follow. ErrUnsupportedKey means that the
// card lists algorithms for the key, but none for this scheme.
func (c *Card) recipes(s scheme, k Key, hash crypto.Hash) (all []recipe, err error) {
	add := func(r recipe) {
		same := func(other recipe) bool {
			return other.Form == r.Form && other.Algorithm == r.Algorithm && other.KeyBy == r.KeyBy
		}
		possible := r.KeyBy == byReference || c.isFile(k)
		if r.Form == recipeGeneral {
			possible = k.Reference >= 0 && (k.piv != 0 || r.Algorithm >= 0)
		}
		if !slices.ContainsFunc(all, same) && possible {
			all = append(all, r)
		}
	}
	for _, own := range c.profile.Sign {
		if own.Key != s.key {
			continue
		}
		r := recipe{Form: own.Recipe, Algorithm: -1, KeyBy: own.KeyBy, Class: own.Class}
		if s.name == "rsa-pss" && !r.wholeBlock() {
			return nil, fmt.Errorf("%w: PSS by recipe %s", ErrUnsupportedKey, own.Recipe)
		}
		if own.Algorithm != nil {
			r.Algorithm = int(*own.Algorithm)
		}
		add(r)
	}
	if len(all) > 0 {
		return c.rememberedFirst(s, all), nil
	}
	described := false
	for _, f := range s.described {
		for _, ref := range k.algorithms {
			for _, a := range c.token.algorithms {
				if a.reference != ref || !a.signs {
					continue
				}
				described = true
				if a.mechanism == f.mechanism {
					add(recipe{Form: f.recipe, Algorithm: a.card, Described: true})
				}
			}
		}
	}
	if described && len(all) == 0 {
		return nil, fmt.Errorf("%w: the card lists no %s with %v for its key", ErrUnsupportedKey, s.name, hash)
	}
	for _, r := range s.standard {
		add(r)
	}
	if c.learning {
		for _, r := range oddRecipes(s) {
			add(r)
		}
		return all[min(c.skip, len(all)):], nil
	}
	return c.rememberedFirst(s, all[:min(len(all), maxRecipes)]), nil
}

// rememberedFirst moves the recipe with which this kind of card should begin to
// the front. The recipes before it go to the end.
func (c *Card) rememberedFirst(s scheme, all []recipe) []recipe {
	first, ok := c.remembered[s.name]
	if !ok {
		return all
	}
	i := max(0, slices.IndexFunc(all, first.same))
	return slices.Concat(all[i:], all[:i])
}

// isFile reports whether a key is an elementary file of its own.
func (c *Card) isFile(k Key) bool {
	n := len(k.Path.File)
	return n >= 2 && !bytes.HasSuffix(c.app.Path, k.Path.File[n-2:])
}

// environment returns the data of MSE: SET: the algorithm reference (80), if
// there is one, and the key by its reference (84) or its file (81), as far as
// the directory states them (ISO 7816-4 §10.3.3).
func (k Key) environment(r recipe) []byte {
	var crt []byte
	if r.Algorithm >= 0 {
		crt = tlv.Append(crt, 0x80, byte(r.Algorithm))
	}
	if len(k.Path.File) >= 2 && (r.KeyBy != byReference || k.Reference < 0) {
		crt = tlv.Append(crt, 0x81, k.Path.File[len(k.Path.File)-2:]...)
	}
	switch {
	case r.KeyBy == bySelection:
		crt = tlv.Append(crt, 0x84, 0x00)
	case k.Reference >= 0:
		crt = tlv.Append(crt, 0x84, byte(k.Reference))
	}
	return crt
}

// pkcs1 returns what is sent to the card for a signature by PKCS #1 v1.5 (RFC
// 8017 §9.2): the hash, the DigestInfo, or a padded block of size bytes.
func (r recipe) pkcs1(digest []byte, hash crypto.Hash, size int) []byte {
	if r.Form == recipeHash || r.Form == recipeHashFirst {
		return digest
	}
	info := append(bytes.Clone(digestInfo[hash]), digest...)
	if !r.wholeBlock() {
		return info
	}
	filling := bytes.Repeat([]byte{0xFF}, max(8, size-len(info)-3))
	return append(append(append([]byte{0x00, 0x01}, filling...), 0x00), info...)
}
