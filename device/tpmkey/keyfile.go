package tpmkey

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PEMType is the PEM type of a key file.
const PEMType = "TSS2 PRIVATE KEY"

// IsKeyFile reports whether text claims to be a key file. It may be invalid.
func IsKeyFile(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && block.Type == PEMType
}

// keyFile is the content of a key file.
type keyFile struct {
	kind    asn1.ObjectIdentifier // loadableKey or sealedData
	parent  uint32                // TPM_HANDLE of the hierarchy
	public  []byte                // TPMT_PUBLIC
	private []byte                // the content of a TPM2B_PRIVATE, which only the TPM can decrypt
}

// The kinds of key files.
var (
	loadableKey   = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}
	importableKey = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 4}
	sealedData    = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 5}
)

// The hierarchies whose primary keys may be a key's parent.
const (
	ownerHierarchy       = 0x40000001 // TPM_RH_OWNER
	endorsementHierarchy = 0x4000000B // TPM_RH_ENDORSEMENT
)

// maxPart bounds the public and the private part, in bytes. Those of a P-256 key
// have about a hundred.
const maxPart = 2048

// parseFile reads a key file:
//
//	TPMKey ::= SEQUENCE {
//	    type        OBJECT IDENTIFIER,
//	    emptyAuth   [0] EXPLICIT BOOLEAN OPTIONAL,
//	    policy      [1] EXPLICIT SEQUENCE OF TPMPolicy OPTIONAL,
//	    secret      [2] EXPLICIT OCTET STRING OPTIONAL,
//	    authPolicy  [3] EXPLICIT SEQUENCE OF TPMAuthPolicy OPTIONAL,
//	    description [4] EXPLICIT UTF8String OPTIONAL,
//	    rsaParent   [5] EXPLICIT BOOLEAN OPTIONAL,
//	    parent      INTEGER,
//	    pubkey      OCTET STRING,
//	    privkey     OCTET STRING
//	}
func parseFile(text []byte) (keyFile, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil || block.Type != PEMType:
		return keyFile{}, fmt.Errorf("the file is not PEM of type %q", PEMType)
	case len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0:
		return keyFile{}, errors.New("the file holds more than one key")
	}
	return parseDER(block.Bytes)
}

var errMalformed = errors.New("the file is malformed")

func parseDER(der []byte) (k keyFile, err error) {
	in := cryptobyte.String(der)
	var s cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !in.ReadASN1(&s, casn1.SEQUENCE) || !in.Empty() || !s.ReadASN1ObjectIdentifier(&kind) {
		return k, errMalformed
	}
	switch {
	case kind.Equal(loadableKey), kind.Equal(sealedData):
		k.kind = kind
	case kind.Equal(importableKey):
		return k, errors.New("the key must be imported into a TPM first")
	default:
		return k, fmt.Errorf("the file has the unknown type %s", kind)
	}
	var optional [6]cryptobyte.String
	var there [6]bool
	for tag := range optional {
		if !s.ReadOptionalASN1(&optional[tag], &there[tag], casn1.Tag(tag).ContextSpecific().Constructed()) {
			return k, errMalformed
		}
	}
	var parent uint64
	var public, private []byte
	if !s.ReadASN1Integer(&parent) || !s.ReadASN1Bytes(&public, casn1.OCTET_STRING) ||
		!s.ReadASN1Bytes(&private, casn1.OCTET_STRING) || !s.Empty() {
		return k, errMalformed
	}
	emptyAuth, ok := flag(optional[0], there[0])
	rsaParent, ok2 := flag(optional[5], there[5])
	switch {
	case !ok || !ok2:
		return k, errMalformed
	case !emptyAuth:
		return k, errors.New("the key has a password, which a kiosk cannot type")
	case there[1] || there[3]:
		return k, errors.New("the key can only be used under a policy")
	case there[2]:
		return k, errors.New("the key has an import secret but is not importable")
	case rsaParent:
		return k, errors.New("the key's parent is an RSA key")
	case parent != ownerHierarchy && parent != endorsementHierarchy:
		return k, fmt.Errorf("the key's parent is 0x%08x, not the owner or endorsement hierarchy", parent)
	}
	k.parent = uint32(parent)
	if k.public, ok = sized(public); !ok {
		return k, errors.New("the public part has another length than it states")
	}
	if k.private, ok = sized(private); !ok {
		return k, errors.New("the private part has another length than it states")
	}
	return k, nil
}

// flag reads an optional BOOLEAN; a missing one is false. tpm2-openssl 1.1
// writes TRUE in another way than DER.
func flag(s cryptobyte.String, there bool) (value, ok bool) {
	if !there {
		return false, true
	}
	var b cryptobyte.String
	ok = s.ReadASN1(&b, casn1.BOOLEAN) && s.Empty() && len(b) == 1
	return ok && b[0] != 0, ok
}

// sized returns the content of a TPM2B, which begins with its length in 16 bits.
func sized(b []byte) (content []byte, ok bool) {
	s := cryptobyte.String(b)
	var c cryptobyte.String
	return c, s.ReadUint16LengthPrefixed(&c) && s.Empty() && len(c) > 0 && len(c) <= maxPart
}

// marshal encodes the key file.
func (k keyFile) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(k.kind)
		b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) })
		b.AddASN1Uint64(uint64(k.parent))
		for _, part := range [][]byte{k.public, k.private} {
			b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) {
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(part) })
			})
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: PEMType, Bytes: der}), nil
}
