// Package devicekey opens and makes the private key of a kiosk, which is in a file or in a
// TPM.
package devicekey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"smartkiosk/device/atomicfile"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Open opens the key in a file, which holds either the key or a reference to a key in the
// TPM at device. The caller must close closer, which releases the TPM.
func Open(file, device string) (key crypto.Signer, closer io.Closer, err error) {
	text, err := hubapi.ReadKeyFile(file)
	if err != nil {
		return nil, nil, err
	}
	if tpmkey.IsKeyFile(text) {
		var k *tpmkey.Key
		if k, err = tpmkey.Open(text, device); err == nil {
			return k, k, nil
		}
	} else if key, err = hubapi.ParseKey(text); err == nil {
		return key, io.NopCloser(nil), nil
	}
	return nil, nil, fmt.Errorf("device key %s: %w", file, err)
}

// Create makes a key and writes its file, which must not exist. With a device the key is in
// that TPM.
func Create(file, device string) error {
	// Create the file first, so that no key is made in vain and no key file is
	// overwritten.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write key: %w", err)
	}
	text, err := create(device)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Sync())
		clear(text)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = atomicfile.SyncFolder(filepath.Dir(file))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

func create(device string) ([]byte, error) {
	if device != "" {
		return tpmkey.Create(device)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Request returns a certificate request (RFC 2986, PEM) for the key in a file. The request
// contains no name, because the operator tells the hub whose key it is.
func Request(file, device string) ([]byte, error) {
	key, closer, err := Open(file, device)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
