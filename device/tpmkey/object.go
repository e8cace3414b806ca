package tpmkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"

	"github.com/google/go-tpm/tpm2"
)

// parentTemplate is the TCG's template for a P-256 storage key, with an empty
// unique field, as key files require.
var parentTemplate = func() tpm2.TPMTPublic {
	t := tpm2.ECCSRKTemplate
	t.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	return t
}()

// keyTemplate describes a key that signs with ECDSA and SHA-256, was created in
// the TPM and never leaves it. It is exempt from the TPM's dictionary attack
// protection, because it has no password.
var keyTemplate = tpm2.TPMTPublic{
	Type:    tpm2.TPMAlgECC,
	NameAlg: tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true,
	},
	Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		},
		CurveID: tpm2.TPMECCNistP256,
	}),
	Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
}

// publicKey decodes a TPMT_PUBLIC. The key must match keyTemplate, except that
// it may also sign with other schemes.
func publicKey(area []byte) (*ecdsa.PublicKey, error) {
	t, err := tpm2.Unmarshal[tpm2.TPMTPublic](area)
	if err != nil || !bytes.Equal(tpm2.Marshal(*t), area) { // the TPM must decode the same values
		return nil, errors.New("the public part is malformed")
	}
	a := t.ObjectAttributes
	switch {
	case t.Type != tpm2.TPMAlgECC || t.NameAlg != tpm2.TPMAlgSHA256:
		return nil, errors.New("the key is not an elliptic-curve key with SHA-256 as its name algorithm")
	case !a.FixedTPM || !a.FixedParent || !a.SensitiveDataOrigin:
		return nil, errors.New("the key may be known outside the TPM")
	case !a.SignEncrypt || a.Restricted || !a.UserWithAuth:
		return nil, errors.New("the key cannot sign an arbitrary digest")
	}
	parameters, err := t.Parameters.ECCDetail()
	if err != nil {
		return nil, errors.New("the public part is malformed")
	}
	point, err := t.Unique.ECC()
	if err != nil {
		return nil, errors.New("the public part is malformed")
	}
	if parameters.CurveID != tpm2.TPMECCNistP256 {
		return nil, errors.New("the key is not P-256")
	}
	switch scheme := parameters.Scheme; scheme.Scheme {
	case tpm2.TPMAlgNull:
	case tpm2.TPMAlgECDSA:
		if hash, err := scheme.Details.ECDSA(); err != nil || hash.HashAlg != tpm2.TPMAlgSHA256 {
			return nil, errors.New("the key signs with another hash than SHA-256")
		}
	default:
		return nil, errors.New("the key signs with another scheme than ECDSA")
	}
	return curvePoint(point.X.Buffer, point.Y.Buffer)
}

// coordinate is the length of a coordinate in bytes. A TPM may leave out leading
// zeros.
const coordinate = 32

func curvePoint(x, y []byte) (*ecdsa.PublicKey, error) {
	if len(x) > coordinate || len(y) > coordinate {
		return nil, errors.New("the public key is no point of the curve")
	}
	point := make([]byte, 1+2*coordinate) // SEC 1 §2.3.3
	point[0] = 4
	copy(point[1+coordinate-len(x):], x)
	copy(point[1+2*coordinate-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errors.New("the public key is no point of the curve")
	}
	return key, nil
}
