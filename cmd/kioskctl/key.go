package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"smartkiosk/device/tpmkey"
)

const keyHelp = `
    kioskctl key create --tpm FILE [--device PATH]
        Make a kiosk's device key in this machine's TPM 2.0, write FILE, which
        lets that TPM alone use it, and print a certificate request (PEM) for
        the hub: "kioskhub kiosk add --csr". The bundle that the hub then makes
        has no key: FILE goes into it, under the name that its kioskd.toml has.
        PATH is the TPM's device, ` + tpmkey.DefaultDevice + ` unless said.
`

// key makes device keys.
func (p program) key(args []string) error {
	if len(args) == 0 || args[0] != "create" {
		return fmt.Errorf("key: create; %w", errUsage)
	}
	flags := flag.NewFlagSet("key create", flag.ContinueOnError)
	file := flags.String("tpm", "", "")
	device := flags.String("device", tpmkey.DefaultDevice, "")
	if err := parse(flags, args[1:]); err != nil {
		return err
	}
	if *file == "" {
		return fmt.Errorf("key create: --tpm is missing; %w", errUsage)
	}
	request, err := createKey(*file, *device)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(request)
	return err
}

// createKey makes a key in a TPM and its file, and gives a certificate request
// (RFC 2986) that names nobody: whose key it is the hub is told by its operator.
func createKey(file, device string) (request []byte, err error) {
	// First, so that no key is made in vain, and none is ever written over.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write key: %w", err)
	}
	text, err := tpmkey.Create(device)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncFolder(filepath.Dir(file))
	}
	if err == nil {
		request, err = certificateRequest(text, device)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	return request, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func certificateRequest(text []byte, device string) ([]byte, error) {
	key, err := tpmkey.Open(text, device)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err := errors.Join(err, key.Close()); err != nil {
		return nil, fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}
