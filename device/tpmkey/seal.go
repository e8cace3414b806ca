package tpmkey

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// maxSealed is the maximum length of a sealed secret, in bytes (TPM 2.0 Library part 2
// §11.1.15, MAX_SYM_DATA).
const maxSealed = 128

// sealTemplate describes data that only this TPM can decrypt. It is exempt from the TPM's
// dictionary attack protection, because it has no password.
var sealTemplate = tpm2.TPMTPublic{
	Type:             tpm2.TPMAlgKeyedHash,
	NameAlg:          tpm2.TPMAlgSHA256,
	ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true},
	Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
	Unique:           tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
}

// Seal has the TPM at device encrypt a secret of at most 128 bytes, and returns a key file
// of the type for sealed data. Unseal returns the secret, with the same TPM only.
func Seal(secret []byte, device string) (file []byte, err error) {
	if len(secret) == 0 || len(secret) > maxSealed {
		return nil, fmt.Errorf("cannot seal %d bytes: a TPM seals 1 to %d", len(secret), maxSealed)
	}
	sealed := keyFile{kind: sealedData, parent: ownerHierarchy}
	err = withParent(device, sealed.parent, func(c conn, parent tpm2.NamedHandle) error {
		made, err := tpm2.Create{
			ParentHandle: parent, InPublic: tpm2.New2B(sealTemplate),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
		}.Execute(c)
		if err == nil {
			sealed.public, sealed.private = made.OutPublic.Bytes(), made.OutPrivate.Buffer
		}
		return err
	})
	if err == nil {
		file, err = sealed.marshal()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot seal with the TPM at %s: %w", device, err)
	}
	return file, nil
}

// Unseal returns the secret of a file that Seal has made. If the file belongs to another
// TPM, the error is ErrForeign.
func Unseal(file []byte, device string) (secret []byte, err error) {
	sealed, err := parseFile(file)
	if err == nil && !sealed.kind.Equal(sealedData) {
		err = errors.New("the file holds a key, not sealed data")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read sealed file: %w", err)
	}
	err = withParent(device, sealed.parent, func(c conn, parent tpm2.NamedHandle) error {
		loaded, err := tpm2.Load{
			ParentHandle: parent,
			InPrivate:    tpm2.TPM2BPrivate{Buffer: sealed.private},
			InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](sealed.public),
		}.Execute(c)
		if err != nil {
			return err
		}
		data, err := tpm2.Unseal{ItemHandle: tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}}.Execute(c)
		if err == nil {
			secret = data.OutData.Buffer
		}
		_, flush := tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(c)
		return errors.Join(err, flush)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot unseal with the TPM at %s: %w", device, err)
	}
	return secret, nil
}

// withParent connects to a TPM and calls f with the primary key of a hierarchy.
func withParent(device string, hierarchy uint32, f func(c conn, parent tpm2.NamedHandle) error) error {
	c, err := dial(device)
	if err != nil {
		return err
	}
	err = underParent(c, hierarchy, func(parent tpm2.NamedHandle) error { return f(c, parent) })
	return errors.Join(explain(err), c.Close())
}
