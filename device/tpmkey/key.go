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

// Create makes a key in the TPM at device and gives its file, which is of use
// with that TPM alone.
func Create(device string) (file []byte, err error) {
	made := keyFile{parent: ownerHierarchy}
	c, err := dial(device)
	if err == nil {
		err = underParent(c, made.parent, func(parent tpm2.NamedHandle) error {
			key, err := tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(keyTemplate)}.Execute(c)
			if err == nil {
				made.public, made.private = key.OutPublic.Bytes(), key.OutPrivate.Buffer
			}
			return err
		})
		err = errors.Join(explain(err), c.Close())
	}
	if err == nil {
		file, err = made.marshal()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a key in the TPM at %s: %w", device, err)
	}
	return file, nil
}

// underParent lets f work with the primary key of a hierarchy.
func underParent(c conn, hierarchy uint32, f func(parent tpm2.NamedHandle) error) error {
	primary, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMHandle(hierarchy), InPublic: tpm2.New2B(parentTemplate)}.Execute(c)
	if err != nil {
		return err
	}
	err = f(tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name})
	_, flush := tpm2.FlushContext{FlushHandle: primary.ObjectHandle}.Execute(c)
	return errors.Join(err, flush)
}

// Key is a key in a TPM, a crypto.Signer. It may be used from any goroutine;
// the TPM signs one thing at a time. A TPM that was lost and is back is used
// again by itself.
type Key struct {
	device string
	file   keyFile
	public *ecdsa.PublicKey

	mu     sync.Mutex
	conn   *conn            // nil while the key is not loaded
	loaded tpm2.NamedHandle // in the TPM behind conn
}

// Open loads the key of a file into the TPM at device, which must be the one
// that it was made in. Close takes it out again.
func Open(file []byte, device string) (*Key, error) {
	f, err := parseFile(file)
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

// Public gives the *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest by ECDSA and gives the signature in ASN.1 (RFC
// 3279 §2.2.3). The randomness is the TPM's own.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("cannot sign in the TPM: it is no SHA-256 digest")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil {
		if signature, err = k.sign(digest); err == nil {
			return signature, nil
		}
		k.drop() // it may have been reset, or gone for a moment
	}
	if err = k.load(); err == nil {
		if signature, err = k.sign(digest); err == nil {
			return signature, nil
		}
		k.drop()
	}
	return nil, fmt.Errorf("cannot sign with the TPM at %s: %w", k.device, explain(err))
}

// Close takes the key out of the TPM. Sign brings it back.
func (k *Key) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return nil
	}
	_, err := tpm2.FlushContext{FlushHandle: k.loaded.Handle}.Execute(k.conn)
	k.drop()
	if err != nil {
		return fmt.Errorf("cannot take the key out of the TPM at %s: %w", k.device, explain(err))
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

// drop lets go of a TPM that does not answer as it should, or need not.
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

// ErrForeign says that a key file is not of this TPM.
var ErrForeign = errors.New("the key is of another TPM, or this one was cleared since: make a new key and have a certificate issued for it")

// explain says of what a TPM answers what to do about it.
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
