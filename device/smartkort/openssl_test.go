package smartkort_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// TestOpenSSLVerifies signs with every key of every kind of card and lets openssl
// verify the signature under the certificate that the driver read.
func TestOpenSSLVerifies(t *testing.T) {
	kinds := newKinds(t)
	kinds[cardsim.Smartkort] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		card, err := smartkort.Driver{}.Open(t.Context(), connect(t, kinds[name].Card))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := card.Certificates(t.Context())
		if err != nil || len(certs) == 0 {
			t.Fatalf("%s: %d certificates, %v", name, len(certs), err)
		}
		for _, c := range certs {
			signer, err := card.Signer(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			hash, algorithm := crypto.SHA256, "sha256"
			if public, ok := signer.Public().(*ecdsa.PublicKey); ok && public.Params().BitSize > 256 {
				hash, algorithm = crypto.SHA384, "sha384"
			}
			if err := card.VerifyPIN(t.Context(), c, []byte(pinOf(name, c))); err != nil {
				t.Fatalf("%s %s: %v", name, c.Label, err)
			}
			digest := bytes.Repeat([]byte{0xC7}, hash.Size())
			signature, err := signer.Sign(rand.Reader, digest, hash)
			if err != nil {
				t.Errorf("%s %s: %v", name, c.Label, err)
				continue
			}
			dir := t.TempDir()
			for file, content := range map[string][]byte{
				"digest": digest, "signature": signature, "certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}),
			} {
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "openssl", "pkeyutl", "-verify", "-certin", "-inkey", "certificate",
				"-in", "digest", "-sigfile", "signature", "-pkeyopt", "digest:"+algorithm)
			cmd.Dir = dir
			if verdict, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(verdict), "Verified Successfully") {
				t.Errorf("%s %s: %v, %s", name, c.Label, err, verdict)
			}
		}
	}
}
