package pades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/cades"
)

// plain makes a PDF with a cross-reference table. catalog and page get more members, and
// objects follow those of the page.
func plain(catalog, page string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	all := append([]string{
		"<</Type/Catalog/Pages 2 0 R" + catalog + ">>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<<>>" + page + ">>",
		"<</Length 13>>\nstream\n0 0 m 9 9 l S\nendstream",
	}, objects...)
	var offsets []int
	for i, o := range all {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f\r\n", len(all)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n\r\n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(all)+1, at)
	return b.Bytes()
}

// converted lets qpdf convert a document.
func converted(t *testing.T, text []byte, options ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	if err := os.WriteFile(in, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("qpdf", append(options, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("qpdf: %v\n%s", err, said)
	}
	made, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// signer is a key with a certificate of its own.
type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Kari Test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageContentCommitment | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, cert}
}

// sign returns the signed document and its signature.
func (s signer) sign(t testing.TB, text []byte) (signed, signature []byte, p *Prepared) {
	t.Helper()
	p, err := Prepare(text, Options{Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	signature, err = cades.Sign(s.key, s.cert, p.Digest(crypto.SHA256), cades.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if signed, err = p.Signed(signature); err != nil {
		t.Fatal(err)
	}
	return signed, signature, p
}

const form = "/AcroForm<</Fields[5 0 R]/DA(/Helv 0 Tf)>>"

var formField = "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Kari)/Rect[10 10 90 30]/P 3 0 R/F 4/DA(/Helv 0 Tf)>>"

// TestJudges signs documents of each structure, and lets qpdf, pdfsig and openssl judge them.
func TestJudges(t *testing.T) {
	by := newSigner(t)
	simple := plain("", "")
	withForm := plain(form, "/Annots[5 0 R]", formField)
	indirect := plain("/AcroForm 6 0 R", "/Annots 7 0 R", formField, "<</Fields 8 0 R>>", "[5 0 R]", "[5 0 R]")
	once, _, _ := by.sign(t, simple)
	streams := converted(t, withForm, "--object-streams=generate")
	onceStreams, _, _ := by.sign(t, streams)
	for name, text := range map[string][]byte{
		"table": simple, "form": withForm, "indirect": indirect, "object streams": streams,
		"linearized": converted(t, withForm, "--linearize"), "linearized with streams": converted(t, withForm, "--linearize", "--object-streams=generate"),
		"2.0": converted(t, simple, "--min-version=2.0"), "signed before": once, "signed before, streams": onceStreams,
	} {
		t.Run(name, func(t *testing.T) {
			signed, signature, p := by.sign(t, text)
			if !bytes.HasPrefix(signed, text) {
				t.Error("the document was changed")
			}
			dir := t.TempDir()
			file := func(name string, content []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			pdf := file("signed.pdf", signed)
			if out, err := exec.Command("qpdf", "--check", pdf).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
				t.Errorf("qpdf: %v\n%s", err, out)
			}
			out, err := exec.Command("pdfsig", "-nocert", pdf).CombinedOutput()
			said, signatures := string(out), 1
			if strings.HasPrefix(name, "signed before") {
				signatures = 2
			}
			if err != nil || strings.Count(said, "Signature is Valid") != signatures || strings.Count(said, "Total document signed") != 1 || strings.Count(said, "ETSI.CAdES.detached") != signatures {
				t.Errorf("pdfsig: %v\n%s", err, said)
			}
			covered := append(bytes.Clone(text), p.update[:p.gap-1]...)
			covered = append(covered, p.update[p.gap+2*Reserved+1:]...)
			ca := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.cert.Raw}))
			verify := func(content string) error {
				return exec.Command("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", file("sig", signature), "-content", content, "-CAfile", ca, "-purpose", "any", "-out", os.DevNull).Run()
			}
			if err := verify(file("covered", covered)); err != nil {
				t.Errorf("openssl: %v", err)
			}
			covered[len(text)/2] ^= 1
			if err := verify(file("altered", covered)); err == nil {
				t.Error("openssl accepts an altered document")
			}
			altered := bytes.Clone(signed)
			altered[bytes.Index(altered, []byte("%PDF-"))+len("%PDF-1.")] ^= 1 // another version, still readable
			if out, _ := exec.Command("pdfsig", "-nocert", file("altered.pdf", altered)).CombinedOutput(); strings.Contains(string(out), "Signature is Valid") {
				t.Errorf("pdfsig accepts an altered document:\n%s", out)
			}
			if again, err := Prepare(text, Options{Time: time.Now()}); err != nil || len(again.update) != len(p.update) {
				t.Errorf("a second preparation differs: %v", err)
			}
			if n, err := Pages(signed); err != nil || n != 1 {
				t.Errorf("%d pages, %v", n, err)
			}
		})
	}
}

// TestRefused has the error of each document that is not signed.
func TestRefused(t *testing.T) {
	good := plain("", "")
	replaced := func(from, to string) []byte {
		if !bytes.Contains(good, []byte(from)) {
			t.Fatalf("%q is not in the document", from)
		}
		return bytes.Replace(good, []byte(from), []byte(to), 1)
	}
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"encrypted":              {converted(t, good, "--encrypt", "a", "b", "256", "--"), ErrEncrypted},
		"empty":                  {nil, ErrNotPDF},
		"a text":                 {[]byte("hello"), ErrNotPDF},
		"no startxref":           {replaced("startxref", "startxxxx"), errSyntax},
		"startxref elsewhere":    {replaced("startxref\n", "startxref\n9"), errSyntax},
		"no catalog":             {replaced("/Root 1 0 R", "/Root 9 0 R"), errSyntax},
		"no pages":               {replaced("/Kids[3 0 R]", "/Kids[    ]"), errSyntax},
		"a page tree in circles": {replaced("/Kids[3 0 R]", "/Kids[2 0 R]"), errSyntax},
		"cut":                    {good[:len(good)/2], errSyntax},
	} {
		if _, err := Prepare(c.text, Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	p, err := Prepare(good, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Signed(make([]byte, Reserved+1)); err == nil {
		t.Error("a signature that is too long is accepted")
	}
}

// FuzzPrepare checks that no document makes the reader panic or loop, and that what is
// prepared is read again.
func FuzzPrepare(f *testing.F) {
	f.Add(plain("", ""))
	f.Add(plain(form, "/Annots[5 0 R]", formField))
	f.Add([]byte("%PDF-1.7 1 0 obj<</Type/XRef/Size 2/W[1 1 1]/Length 0>>stream\nendstream startxref 9"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = Pages(text)
		p, err := Prepare(text, Options{})
		if err != nil {
			return
		}
		signed, err := p.Signed([]byte{0x30, 0})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(signed); err != nil {
			t.Errorf("the signed document cannot be read: %v", err)
		}
	})
}

// BenchmarkSign signs a document of 10 MB.
func BenchmarkSign(b *testing.B) {
	text := plain("", "", "<</Length 10000000>>\nstream\n"+strings.Repeat("0", 10_000_000)+"\nendstream")
	by := newSigner(b)
	for b.Loop() {
		by.sign(b, text)
	}
}
