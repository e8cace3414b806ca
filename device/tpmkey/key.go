package tpmkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Create creates a key in the TPM at device and returns its key file. The file
// works only with that TPM.
func Create(device string) (file []byte, err error) {
	made := keyFile{kind: loadableKey, parent: ownerHierarchy}
	err = withParent(device, made.parent, func(c conn, parent tpm2.NamedHandle) error {
		key, err := tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(keyTemplate)}.Execute(c)
		if err == nil {
			made.public, made.private = key.OutPublic.Bytes(), key.OutPrivate.Buffer
		}
		return err
	})
	if err == nil {
		file, err = made.marshal()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create a key in the TPM at %s: %w", device, err)
	}
	return file, nil
}

// underParent calls f with the primary key of a hierarchy.
func underParent(c conn, hierarchy uint32, f func(parent tpm2.NamedHandle) error) error {
	primary, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMHandle(hierarchy), InPublic: tpm2.New2B(parentTemplate)}.Execute(c)
	if err != nil {
		return err
	}
	err = f(tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name})
	_, flush := tpm2.FlushContext{FlushHandle: primary.ObjectHandle}.Execute(c)
	return errors.Join(err, flush)
}

// Key is a crypto.Signer with a key in a TPM. It may be used from any goroutine;
// the TPM makes one signature at a time. If the TPM was unavailable and is back,
// Key connects to it again.
type Key struct {
	device string
	file   keyFile
	public *ecdsa.PublicKey

	mu     sync.Mutex
	conn   *conn            // nil while the key is not loaded
	loaded tpm2.NamedHandle // in the TPM behind conn
}

// Open loads the key of a key file into the TPM at device, which must be the TPM
// that created the key. Close unloads it.
func Open(file []byte, device string) (*Key, error) {
	f, err := parseFile(file)
	if err == nil && !f.kind.Equal(loadableKey) {
		err = errors.New("the file holds sealed data, not a key")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read TPM key file: %w", err)
	}
	public, err := publicKey(f.public)
	if err != nil {
		return nil, fmt.Errorf("cannot read TPM key file: %w", err)
	}
	k := &Key{device: device, file: f, public: public}
	if err := k.load(); err != nil {
		return nil, fmt.Errorf("cannot use the key in the TPM at %s: %w", device, explain(err))
	}
	return k, nil
}

// Public returns the *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest with ECDSA and returns the signature in ASN.1 (RFC
// 3279 §2.2.3). It ignores rand: the TPM has its own random numbers.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("cannot sign in the TPM: the digest is not SHA-256")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil {
		if signature, err = k.sign(digest); err == nil {
			return signature, nil
		}
		k.drop() // the TPM may have been reset or unavailable for a moment
	}
	if err = k.load(); err == nil {
		if signature, err = k.sign(digest); err == nil {
			return signature, nil
		}
		k.drop()
	}
	return nil, fmt.Errorf("cannot sign with the TPM at %s: %w", k.device, explain(err))
}

// Close unloads the key from the TPM. Sign loads it again.
func (k *Key) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return nil
	}
	_, err := tpm2.FlushContext{FlushHandle: k.loaded.Handle}.Execute(k.conn)
	k.drop()
	if err != nil {
		return fmt.Errorf("cannot unload the key from the TPM at %s: %w", k.device, explain(err))
	}
	return nil
}

// load connects to the TPM and loads the key.
func (k *Key) load() error {
	c, err := dial(k.device)
	if err != nil {
		return err
	}
	err = underParent(c, k.file.parent, func(parent tpm2.NamedHandle) error {
		loaded, err := tpm2.Load{
			ParentHandle: parent,
			InPrivate:    tpm2.TPM2BPrivate{Buffer: k.file.private},
			InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](k.file.public),
		}.Execute(c)
		if err == nil {
			k.loaded = tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}
		}
		return err
	})
	if err != nil {
		_ = c.Close()
		return err
	}
	k.conn = &c
	return nil
}

// drop closes the connection to the TPM.
func (k *Key) drop() {
	_ = k.conn.Close()
	k.conn = nil
}

func (k *Key) sign(digest []byte) ([]byte, error) {
	signed, err := tpm2.Sign{
		KeyHandle: k.loaded,
		Digest:    tpm2.TPM2BDigest{Buffer: digest},
		InScheme: tpm2.TPMTSigScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256}),
		},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
	}.Execute(k.conn)
	if err != nil {
		return nil, err
	}
	numbers, err := signed.Signature.Signature.ECDSA()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(numbers.SignatureR.Buffer))
		b.AddASN1BigInt(new(big.Int).SetBytes(numbers.SignatureS.Buffer))
	})
	return b.Bytes()
}

// ErrForeign says that a key file belongs to another TPM.
var ErrForeign = errors.New("the key belongs to another TPM, or this TPM was cleared: create a new key and get a certificate for it")

// explain adds to a TPM's error what the technician can do about it.
func explain(err error) error {
	for code, means := range map[tpm2.TPMRC]string{
		tpm2.TPMRCBadAuth:       "its owner hierarchy has a password, which must be empty",
		tpm2.TPMRCAuthFail:      "its owner hierarchy has a password, which must be empty",
		tpm2.TPMRCHierarchy:     "its owner hierarchy is switched off in the firmware",
		tpm2.TPMRCObjectMemory:  "it has no room for another key: use " + DefaultDevice + ", which makes room",
		tpm2.TPMRCObjectHandles: "it has no room for another key: use " + DefaultDevice + ", which makes room",
		tpm2.TPMRCFailure:       "it has failed its self-test: switch the machine off and on, and if that does not help, replace it",
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%s: %w", means, err)
		}
	}
	if errors.Is(err, tpm2.TPMRCIntegrity) {
		return fmt.Errorf("%w (%w)", ErrForeign, err)
	}
	return err
}
