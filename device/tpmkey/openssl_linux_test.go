package tpmkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"smartkiosk/device/tpmkey/swtpm"
)

// openssl runs an openssl command with the provider tpm2-openssl and returns its
// output.
func openssl(t *testing.T, tpm *swtpm.TPM, command string, args ...string) []byte {
	t.Helper()
	args = append([]string{command, "-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2"}, args...)
	c := exec.Command("openssl", args...)
	c.Env = append(os.Environ(), "TPM2OPENSSL_TCTI=swtpm:path="+tpm.Path, "TSS2_LOG=all+none")
	var failed bytes.Buffer
	c.Stderr = &failed
	out, err := c.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, failed.Bytes())
	}
	return out
}

// TestOpenSSL: OpenSSL signs with this package's key files and the other way round.
func TestOpenSSL(t *testing.T) {
	tpm := swtpm.Start(t)
	ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := create(t, tpm.Path)
	if err := os.WriteFile(ours, file, 0o600); err != nil {
		t.Fatal(err)
	}
	k := open(t, file, tpm.Path)
	if err := k.Close(); err != nil { // of three that the TPM has room for
		t.Fatal(err)
	}
	block, _ := pem.Decode(openssl(t, tpm, "pkey", "-in", ours, "-pubout"))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !public.(*ecdsa.PublicKey).Equal(k.Public()) {
		t.Errorf("the public key is %v for OpenSSL, %v", public, err)
	}
	digest := sha256.Sum256([]byte("text"))
	if signature := openssl(t, tpm, "dgst", "-sha256", "-sign", ours, text); !ecdsa.VerifyASN1(k.public, digest[:], signature) {
		t.Error("OpenSSL's signature is wrong")
	}

	openssl(t, tpm, "genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", theirs)
	if file, err = os.ReadFile(theirs); err != nil {
		t.Fatal(err)
	}
	if err := signs(open(t, file, tpm.Path), "text"); err != nil {
		t.Error(err)
	}
}
