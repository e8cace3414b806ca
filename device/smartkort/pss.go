package smartkort

import (
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"io"
)

// pssSalt returns the salt length in bytes for the options. A card that makes
// the salt itself makes it as long as the hash (RFC 8017 §9.1, RFC 7518 §3.5).
func pssSalt(o *rsa.PSSOptions, hash crypto.Hash) int {
	if o.SaltLength == rsa.PSSSaltLengthAuto || o.SaltLength == rsa.PSSSaltLengthEqualsHash {
		return hash.Size()
	}
	return o.SaltLength
}

// encodePSS is EMSA-PSS-ENCODE with MGF1 (RFC 8017 §9.1.1) over a digest. It is
// for cards that only apply the private exponent to a whole block. bits is the
// length of the modulus.
func encodePSS(random io.Reader, digest []byte, bits, saltLength int, hash crypto.Hash) ([]byte, error) {
	emBits, size := bits-1, (bits+7)/8
	emLen := (emBits + 7) / 8
	if saltLength < 0 || emLen < hash.Size()+saltLength+2 {
		return nil, fmt.Errorf("%w: a PSS salt of %d bytes does not fit into %d bytes", ErrUnsupportedKey, saltLength, emLen)
	}
	block := make([]byte, size)
	em := block[size-emLen:]
	db, h := em[:emLen-hash.Size()-1], em[emLen-hash.Size()-1:emLen-1]
	salt := db[len(db)-saltLength:]
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("cannot make salt: %w", err)
	}
	d := hash.New()
	d.Write(make([]byte, 8))
	d.Write(digest)
	d.Write(salt)
	d.Sum(h[:0])
	db[len(db)-saltLength-1] = 0x01
	mask(db, h, hash)
	db[0] &= 0xFF >> (8*emLen - emBits)
	em[emLen-1] = 0xBC
	return block, nil
}

// mask XORs b with MGF1 of seed (RFC 8017 §B.2.1).
func mask(b, seed []byte, hash crypto.Hash) {
	for counter := uint32(0); len(b) > 0; counter++ {
		d := hash.New()
		d.Write(seed)
		d.Write(binary.BigEndian.AppendUint32(nil, counter))
		sum := d.Sum(nil)
		for i := range min(len(sum), len(b)) {
			b[i] ^= sum[i]
		}
		b = b[min(len(sum), len(b)):]
	}
}
