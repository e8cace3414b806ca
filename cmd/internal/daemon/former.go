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

	"smartkiosk/device/atomicfile"
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
		if err := atomicfile.Replace(path, all, 0o600); err != nil {
			return nil, fmt.Errorf("cannot remember the kiosk's certificate: %w", err)
		}
	}
	return former, nil
}
