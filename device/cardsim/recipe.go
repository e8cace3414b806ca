package cardsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
)

// recipe makes a signature from the data of a command. Kinds of card differ
// most in the form of this data and in who pads it.
type recipe func(key crypto.Signer, data []byte) (signature []byte, err error)

var errData = errors.New("not what this key signs")

// overDigestInfo signs a DigestInfo, which the card pads to the key's length
// (PKCS #1 v1.5, RFC 8017 §9.2).
func overDigestInfo(key crypto.Signer, data []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	if rest, err := asn1.Unmarshal(data, &info); err != nil || len(rest) != 0 {
		return nil, errData
	}
	return key.Sign(nil, data, crypto.Hash(0))
}

// overSHA256 signs a bare SHA-256 hash. The card adds DigestInfo and padding.
func overSHA256(key crypto.Signer, data []byte) ([]byte, error) {
	if len(data) != sha256.Size {
		return nil, errData
	}
	return key.Sign(nil, data, crypto.SHA256)
}

// overBlock applies the private exponent to a block of the key's length, which
// the driver has padded.
func overBlock(key crypto.Signer, data []byte) ([]byte, error) {
	private := key.(*rsa.PrivateKey)
	block := new(big.Int).SetBytes(data)
	if len(data) != private.Size() || block.Cmp(private.N) >= 0 {
		return nil, errData
	}
	return new(big.Int).Exp(block, private.D, private.N).FillBytes(make([]byte, private.Size())), nil
}

// ecdsaDER signs a hash of at most the key's length and returns an
// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
func ecdsaDER(key crypto.Signer, data []byte) ([]byte, error) {
	if len(data) == 0 || len(data) > fieldSize(key.(*ecdsa.PrivateKey)) {
		return nil, errData
	}
	return key.Sign(rand.Reader, data, crypto.Hash(0))
}

// ecdsaRaw is like ecdsaDER but returns R and S concatenated, each as long as
// the key.
func ecdsaRaw(key crypto.Signer, data []byte) ([]byte, error) {
	der, err := ecdsaDER(key, data)
	if err != nil {
		return nil, err
	}
	var value struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &value); err != nil {
		return nil, err
	}
	n := fieldSize(key.(*ecdsa.PrivateKey))
	return append(value.R.FillBytes(make([]byte, n)), value.S.FillBytes(make([]byte, n))...), nil
}

// fieldSize returns the length of a coordinate in bytes.
func fieldSize(key *ecdsa.PrivateKey) int { return (key.Params().BitSize + 7) / 8 }
