package cades

import (
	"crypto"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var object = regexp.MustCompile(`OBJECT +:(\S+)`)

// openssl names the object identifiers of a signature in their order. It accepts a signature
// with some of them wrong.
func TestObjectIdentifiers(t *testing.T) {
	ca := issue(t, ecdsaKey(t, elliptic.P256()), nil, nil)
	for name, tt := range map[string]struct {
		key                    crypto.Signer
		public                 []string
		hash, named, signature string
	}{
		"RSA":   {rsaKey(t, 2048), []string{"rsaEncryption"}, "sha256", "", "sha256WithRSAEncryption"},
		"P-256": {ecdsaKey(t, elliptic.P256()), []string{"id-ecPublicKey", "prime256v1"}, "sha256", "", "ecdsa-with-SHA256"},
		"P-384": {ecdsaKey(t, elliptic.P384()), []string{"id-ecPublicKey", "secp384r1"}, "sha384", "sha384", "ecdsa-with-SHA384"},
	} {
		path := filepath.Join(t.TempDir(), "sig.der")
		if err := os.WriteFile(path, issue(t, tt.key, &ca, nil).sign(t, document, Options{Time: noon}), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command("openssl", "asn1parse", "-inform", "DER", "-in", path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var got []string
		for _, m := range object.FindAllStringSubmatch(string(text), -1) {
			if n := m[1]; n != "countryName" && n != "commonName" && n != "X509v3" { // of certificates
				got = append(got, n)
			}
		}
		want := slices.Concat(
			[]string{"pkcs7-signedData", tt.hash, "pkcs7-data", "ecdsa-with-SHA256"}, tt.public, []string{"ecdsa-with-SHA256"},
			[]string{tt.hash, "contentType", "pkcs7-data", "signingTime", "messageDigest", "id-smime-aa-signingCertificateV2", tt.named, tt.signature},
		)
		want = slices.DeleteFunc(want, func(n string) bool { return n == "" })
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q, want\n%q", name, got, want)
		}
	}
}

// A document has one signer.
func TestOneSigner(t *testing.T) {
	ca := issue(t, ecdsaKey(t, elliptic.P256()), nil, nil)
	var outer contentInfo
	var data signedData
	if err := unmarshal(issue(t, ecdsaKey(t, elliptic.P256()), &ca, nil).sign(t, document, Options{}), &outer); err != nil {
		t.Fatal(err)
	}
	if err := unmarshal(outer.Content.Bytes, &data); err != nil {
		t.Fatal(err)
	}
	one := data.Signers[0]
	for want, signers := range map[string][]signerInfo{"0 signers, not one": {}, "2 signers, not one": {one, one}} {
		data.Signers = signers
		inner, err := asn1.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		der, err := asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: inner}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(der, digestOf(document), pool(ca.cert), noon); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	der, err := asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: []byte{0x30, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"a SignedData that is cut": der, "a signature that is cut": der[:len(der)-1], "of the greatest size": make([]byte, MaxSize)} {
		if _, err := Verify(der, digestOf(document), pool(ca.cert), noon); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "asn1:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
