package daemon

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"smartkiosk/kiosk/protocol/hubapi"
)

// certificatesFile is the file in the state folder with the certificates that the kiosk has
// used, newest last. Events stay valid by the key that signed them. So when the kiosk has a
// new key while events wait in its outbox, it sends the certificates of its former keys with
// them.
const certificatesFile = "certificates.pem"

// formerCertificates returns the certificates (DER) of the kiosk's former keys, and remembers
// the current one.
func formerCertificates(state string, current *x509.Certificate) (former [][]byte, err error) {
	path := filepath.Join(state, certificatesFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the certificates of former keys: %w", err)
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !bytes.Equal(block.Bytes, current.Raw) {
			former = append(former, block.Bytes)
		}
	}
	former = former[max(0, len(former)-hubapi.MaxFormer):]
	var all []byte
	for _, der := range slices.Concat(former, [][]byte{current.Raw}) {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if !bytes.Equal(all, text) {
		if err := replaceFile(path, all); err != nil {
			return nil, fmt.Errorf("cannot remember the kiosk's certificate: %w", err)
		}
	}
	return former, nil
}

// replaceFile writes a file so that after a power cut there is the old content or the new one.
func replaceFile(path string, text []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
