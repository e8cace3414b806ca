package tpmkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestGolden reads files that OpenSSL's provider and this package wrote.
func TestGolden(t *testing.T) {
	for _, name := range []string{"openssl", "own"} {
		text := golden(t, name+".pem")
		f, err := parseFile(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		key, err := publicKey(f.public)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		block, _ := pem.Decode(golden(t, name+".pub.pem"))
		want, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil || !want.(*ecdsa.PublicKey).Equal(key) || f.parent != ownerHierarchy || len(f.private) != 126 || !IsKeyFile(text) {
			t.Errorf("%s: another key: %v", name, err)
		}
		again, err := f.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if name == "own" && !bytes.Equal(again, text) {
			t.Errorf("it would be written as\n%s", again)
		}
		if same, err := parseFile(again); err != nil || !bytes.Equal(same.private, f.private) || !bytes.Equal(same.public, f.public) {
			t.Errorf("%s: read again: %v", name, err)
		}
	}
	if IsKeyFile(golden(t, "own.pub.pem")) || IsKeyFile(nil) {
		t.Error("what is no key file is one")
	}
}

// parts are the fields of a key file, for invalid variants.
type parts struct {
	kind    asn1.ObjectIdentifier
	options map[int]func(*cryptobyte.Builder)
	parent  int64
	public  []byte // TPM2B_PUBLIC
	private []byte // TPM2B_PRIVATE
	tail    []byte
}

func goodParts(t testing.TB) parts {
	f, err := parseFile(golden(t, "own.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return parts{
		kind: loadableKey, options: map[int]func(*cryptobyte.Builder){0: func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) }},
		parent: ownerHierarchy, public: withSize(f.public), private: withSize(f.private),
	}
}

func withSize(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

func (p parts) file(t testing.TB) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(p.kind)
		for tag := range 7 {
			if option := p.options[tag]; option != nil {
				b.AddASN1(casn1.Tag(tag).ContextSpecific().Constructed(), option)
			}
		}
		b.AddASN1Int64(p.parent)
		b.AddASN1OctetString(p.public)
		b.AddASN1OctetString(p.private)
		b.AddBytes(p.tail)
	})
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: PEMType, Bytes: der})
}

// TestBadFiles: each invalid file has its own error, without access to a TPM.
func TestBadFiles(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(p *parts)
	}{
		{"the file is malformed", func(p *parts) { p.tail = []byte{5, 0} }},
		{"the file is malformed", func(p *parts) { p.options[5] = empty }},
		{"the file is malformed", func(p *parts) { p.options[6] = boolean(true) }},
		{"the file is malformed", func(p *parts) { p.parent = -1 }},
		{"the file has the unknown type 1.2.3", func(p *parts) { p.kind = asn1.ObjectIdentifier{1, 2, 3} }},
		{"the key must be imported into a TPM first", func(p *parts) { p.kind = importableKey }},
		{"the file holds sealed data, not a key", func(p *parts) { p.kind = sealedData }},
		{"the key has a password, which a kiosk cannot type", func(p *parts) { p.options[0] = boolean(false) }},
		{"the key has a password, which a kiosk cannot type", func(p *parts) { delete(p.options, 0) }},
		{"the key can only be used under a policy", func(p *parts) { p.options[1] = empty }},
		{"the key can only be used under a policy", func(p *parts) { p.options[3] = empty }},
		{"the key has an import secret but is not importable", func(p *parts) { p.options[2] = empty }},
		{"the key's parent is an RSA key", func(p *parts) { p.options[5] = boolean(true) }},
		{"the key's parent is 0x81000001, not the owner or endorsement hierarchy", func(p *parts) { p.parent = 0x81000001 }},
		{"the key's parent is 0x140000001, not the owner or endorsement hierarchy", func(p *parts) { p.parent = 0x140000001 }},
		{"the public part has another length than it states", func(p *parts) { p.public = p.public[:20] }},
		{"the public part has another length than it states", func(p *parts) { p.public = nil }},
		{"the private part has another length than it states", func(p *parts) { p.private = append(p.private, 0) }},
		{"the private part has another length than it states", func(p *parts) { p.private = withSize(make([]byte, maxPart+1)) }},
		{"the public part is malformed", func(p *parts) { p.public = withSize([]byte{0, 0x23, 0}) }},
		{"the key is not an elliptic-curve key with SHA-256 as its name algorithm", func(p *parts) { p.public = withSize(tpm2.Marshal(tpm2.RSASRKTemplate)) }},
		{"the key is not an elliptic-curve key with SHA-256 as its name algorithm", public(func(a *tpm2.TPMTPublic) { a.NameAlg = tpm2.TPMAlgSHA1 })},
		{"the key may be known outside the TPM", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.FixedTPM = false })},
		{"the key may be known outside the TPM", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.FixedParent = false })},
		{"the key may be known outside the TPM", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.SensitiveDataOrigin = false })},
		{"the key cannot sign an arbitrary digest", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.SignEncrypt = false })},
		{"the key cannot sign an arbitrary digest", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.Restricted = true })},
		{"the key cannot sign an arbitrary digest", public(func(a *tpm2.TPMTPublic) { a.ObjectAttributes.UserWithAuth = false })},
		{"the key is not P-256", public(func(a *tpm2.TPMTPublic) {
			a.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP384})
		})},
		{"the key signs with another scheme than ECDSA", public(func(a *tpm2.TPMTPublic) {
			a.Parameters = signing(tpm2.TPMAlgECDH, tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDH, &tpm2.TPMSKeySchemeECDH{HashAlg: tpm2.TPMAlgSHA256}))
		})},
		{"the key signs with another hash than SHA-256", public(func(a *tpm2.TPMTPublic) {
			a.Parameters = signing(tpm2.TPMAlgECDSA, tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA1}))
		})},
		{"the public key is no point of the curve", public(func(*tpm2.TPMTPublic) {})},
		{"the public key is no point of the curve", public(func(a *tpm2.TPMTPublic) {
			a.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: make([]byte, 33)}})
		})},
	} {
		p := goodParts(t)
		c.change(&p)
		refused(t, p.file(t), c.want)
	}
	own := golden(t, "own.pem")
	refused(t, []byte("x"), `the file is not PEM of type "TSS2 PRIVATE KEY"`)
	refused(t, golden(t, "own.pub.pem"), `the file is not PEM of type "TSS2 PRIVATE KEY"`)
	refused(t, append(bytes.Clone(own), own...), "the file holds more than one key")
	refused(t, bytes.Replace(own, []byte("\n"), []byte("\na: b\n\n"), 1), "the file holds more than one key")
	refused(t, pem.EncodeToMemory(&pem.Block{Type: PEMType}), "the file is malformed")
	if _, err := Open(goodParts(t).file(t), "/nowhere"); err == nil || !strings.Contains(err.Error(), "cannot use the key in the TPM at /nowhere: the device does not exist") {
		t.Errorf("a good file, and no TPM: %v", err)
	}
}

func refused(t *testing.T, file []byte, want string) {
	t.Helper()
	if _, err := Open(file, "/nowhere"); err == nil || err.Error() != "cannot read TPM key file: "+want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func empty(b *cryptobyte.Builder) { b.AddASN1(casn1.SEQUENCE, func(*cryptobyte.Builder) {}) }

func boolean(value bool) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1Boolean(value) }
}

// public returns a file with a changed template and a point that is not on the curve.
func public(change func(*tpm2.TPMTPublic)) func(p *parts) {
	return func(p *parts) {
		area := keyTemplate
		area.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: []byte{1}}})
		change(&area)
		p.public = withSize(tpm2.Marshal(area))
	}
}

func signing(scheme tpm2.TPMAlgID, details tpm2.TPMUAsymScheme) tpm2.TPMUPublicParms {
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Scheme: tpm2.TPMTECCScheme{Scheme: scheme, Details: details}, CurveID: tpm2.TPMECCNistP256,
	})
}

func FuzzKeyFile(f *testing.F) {
	for _, name := range []string{"openssl.pem", "own.pem"} {
		block, _ := pem.Decode(golden(f, name))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := parseDER(der)
		if err != nil {
			return
		}
		_, _ = publicKey(k.public)
		text, err := k.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseFile(text); err != nil || !bytes.Equal(again.public, k.public) || !bytes.Equal(again.private, k.private) || again.parent != k.parent {
			t.Errorf("%x is not read as it was written: %v", der, err)
		}
	})
}

func FuzzPublic(f *testing.F) {
	for _, name := range []string{"openssl.pem", "own.pem"} {
		k, err := parseFile(golden(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(k.public)
	}
	f.Fuzz(func(_ *testing.T, area []byte) { _, _ = publicKey(area) })
}
