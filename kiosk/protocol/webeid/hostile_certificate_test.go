package webeid_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
)

func TestHostileCertificates(t *testing.T) {
	template := func(edit func(c *x509.Certificate)) func(*scene) {
		return func(s *scene) { edit(s.template) }
	}
	der := func(edit func(b []byte) []byte) func(*scene) {
		return func(s *scene) { s.editCert = edit }
	}
	// resigned replaces an element of TBSCertificate and signs the certificate again.
	resigned := func(element int, value []byte) func(*scene) {
		return func(s *scene) {
			s.editCert = func(b []byte) []byte {
				return resign(s.t, b, s.ca.key, func(tbs []asn1.RawValue) []asn1.RawValue {
					tbs[element] = raw(value)
					return tbs
				})
			}
		}
	}
	policies := func(list ...string) func(*scene) {
		return func(s *scene) {
			s.template.Policies = nil
			for _, p := range list {
				s.template.Policies = append(s.template.Policies, oid(s.t, p))
			}
		}
	}
	usage := func(u x509.KeyUsage) func(*scene) {
		return template(func(c *x509.Certificate) { c.KeyUsage = u })
	}
	serialNumber := func(text string) func(*scene) {
		return template(func(c *x509.Certificate) { c.Subject.SerialNumber = text })
	}
	ca := func(edit func(c *x509.Certificate)) func(*scene) {
		return func(s *scene) {
			tmpl := authorityTemplate("Test Person CA")
			edit(tmpl)
			s.replaceCA(tmpl)
		}
	}
	extra := func(list ...pkix.Extension) func(*scene) {
		return template(func(c *x509.Certificate) { c.ExtraExtensions = list })
	}
	key := func(public any) func(*scene) { return func(s *scene) { s.public = public } }
	constrain := func(tag int, base []byte) func(*scene) { // an excluded or permitted subtree
		return ca(func(c *x509.Certificate) {
			subtree := mustMarshal(t, []asn1.RawValue{raw(base)})
			c.ExtraExtensions = []pkix.Extension{{
				Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true,
				Value: mustMarshal(t, []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: subtree}}),
			}}
		})
	}
	directory := func(name pkix.Name) []byte {
		return mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: mustMarshal(t, name.ToRDNSequence())})
	}
	unknown := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1} // RFC 5612

	judgeAll(t, newScene, []hostile{
		{"cut short", kiosk.Parse, "", der(func(b []byte) []byte { return b[:len(b)-1] })},
		{"a byte after it", kiosk.Parse, "", der(func(b []byte) []byte { return append(b, 0) })},
		{"in PEM", kiosk.Parse, "", der(func(b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b}) })},
		{"of indefinite length", kiosk.Parse, "", der(func(b []byte) []byte { return indefinite(t, b) })},
		{"an extension twice", kiosk.Parse, "", extra(pkix.Extension{Id: unknown, Value: []byte{5, 0}}, pkix.Extension{Id: unknown, Value: []byte{5, 0}})},
		{"key usage twice", kiosk.Parse, "", extra(
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 7, 0x80}},
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 7, 0x80}})},
		{"a serial number of 21 octets", kiosk.Parse, "", resigned(1, mustMarshal(t, new(big.Int).Lsh(big.NewInt(1), 160)))},
		{"a negative serial number", kiosk.Parse, "", resigned(1, mustMarshal(t, big.NewInt(-4711)))},
		{"serial number zero", kiosk.Parse, "", resigned(1, mustMarshal(t, big.NewInt(0)))},
		{"version 2", kiosk.Parse, "", resigned(0, []byte{0xA0, 3, 2, 1, 1})},
		{"two signature algorithms", kiosk.Parse, "", resigned(2, mustMarshal(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}}))},

		{"for signatures alone", kiosk.Purpose, "", usage(x509.KeyUsageContentCommitment)},
		{"without key usage", kiosk.Purpose, "", usage(0)},
		{"for encryption alone", kiosk.Purpose, "", usage(x509.KeyUsageKeyEncipherment)},
		{"of a CA", kiosk.Purpose, "", template(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, c.KeyUsage|x509.KeyUsageCertSign
		})},
		{"for servers", kiosk.Purpose, "", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		{"for an unknown use", kiosk.Purpose, "", template(func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{unknown} })},
		{"of a responder", kiosk.Purpose, "", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })},
		{"of a domain that is for signatures", kiosk.Purpose, "", func(s *scene) { s.domain.Purposes = []trust.Purpose{trust.Sign} }},

		{"no policy", kiosk.Policy, "", policies()},
		{"the policy of HSMs", kiosk.Policy, "", policies(hsmPolicy)},
		{"the policies of HSMs and of cards", kiosk.Policy, "", policies(policy, hsmPolicy)},
		{"the policy of enterprises", kiosk.Policy, "", policies("2.16.578.1.26.1.3.5")},
		{"any policy", kiosk.Policy, "", policies("2.5.29.32.0")},
		{"a policy that begins like it", kiosk.Policy, "", policies(policy + "0")},
		{"a policy below it", kiosk.Policy, "", policies(policy + ".1")},
		{"a CA of other policies", kiosk.Policy, "", ca(func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, "2.16.578.1.26.1.3.5")} })},

		{"valid from tomorrow", kiosk.NotYetValid, "", template(func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 0, 1) })},
		{"judged at no time", kiosk.NotYetValid, "", func(s *scene) { s.at = time.Time{} }},
		{"valid until yesterday", kiosk.Expired, "", template(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })},
		{"valid until longer ago than the skew", kiosk.Expired, "", template(func(c *x509.Certificate) { c.NotAfter = now.Add(-skew - time.Second) })},

		{"by itself", kiosk.NotTrusted, "", func(s *scene) {
			s.editCert = func([]byte) []byte {
				return issue(s.t, s.template, s.signer.Public(), &authority{cert: s.template, key: s.signer}).Raw
			}
		}},
		{"by another CA of the same name", kiosk.NotTrusted, "", func(s *scene) {
			s.editCert = func([]byte) []byte {
				other := newAuthority(s.t, authorityTemplate("Test Person CA"), "impostor", nil)
				return issue(s.t, s.template, s.signer.Public(), other).Raw
			}
		}},
		{"by an unknown CA", kiosk.NotTrusted, "", func(s *scene) {
			s.editCert = func([]byte) []byte {
				other := newAuthority(s.t, authorityTemplate("Foreign CA"), "foreign", nil)
				return issue(s.t, s.template, s.signer.Public(), other).Raw
			}
		}},
		{"by another holder", kiosk.NotTrusted, "", func(s *scene) {
			s.editCert = func(b []byte) []byte {
				holder, err := x509.ParseCertificate(b)
				if err != nil {
					s.t.Fatal(err)
				}
				c := person(s.t)
				c.Subject.SerialNumber = "UN:NO-9578-4050-100002"
				return issue(s.t, c, s.signer.Public(), &authority{cert: holder, key: s.signer}).Raw
			}
		}},
		{"one bit of its signature changed", kiosk.NotTrusted, "", der(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"an unknown critical extension", kiosk.NotTrusted, "", extra(pkix.Extension{Id: unknown, Critical: true, Value: []byte{5, 0}})},
		{"an unknown critical extension of the CA", kiosk.NotTrusted, "", ca(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}}
		})},
		{"a CA that has expired", kiosk.NotTrusted, "", ca(func(c *x509.Certificate) { c.NotAfter = now.Add(-skew - time.Second) })},
		{"a CA for servers", kiosk.NotTrusted, "", ca(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		{"a path longer than the root allows", kiosk.NotTrusted, "", func(s *scene) {
			tmpl := authorityTemplate("Test Root")
			tmpl.MaxPathLen, tmpl.MaxPathLenZero = 0, true
			s.root = newAuthority(s.t, tmpl, "root", nil)
			s.replaceCA(authorityTemplate("Test Person CA"))
		}},
		{"a CA below a CA that allows none", kiosk.NotTrusted, "", func(s *scene) {
			tmpl := authorityTemplate("Test Person CA")
			tmpl.MaxPathLen, tmpl.MaxPathLenZero = 0, true
			s.replaceCA(tmpl)
			above := s.ca
			s.ca = newAuthority(s.t, authorityTemplate("Test Sub CA"), "sub-ca", above)
			s.domain.Intermediates = []*x509.Certificate{above.cert}
		}},
		{"an e-mail address the CA may not certify", kiosk.NotTrusted, `email address "…"`, func(s *scene) {
			ca(func(c *x509.Certificate) {
				c.PermittedEmailAddresses, c.PermittedDNSDomainsCritical = []string{"firma.example"}, true
			})(s)
			s.template.EmailAddresses = []string{"kari@annen.example"}
		}},
		{"a subject the CA may not certify", kiosk.NotTrusted, "", constrain(0, directory(pkix.Name{Country: []string{"SE"}}))},
		{"a subject the CA must not certify", kiosk.NotTrusted, "", constrain(1, directory(pkix.Name{Country: []string{"no"}}))},
		{"constraints of an unknown form", kiosk.NotTrusted, "", constrain(0, []byte{0x88, 1, 42})}, // registeredID

		{"signed over SHA-1", kiosk.Algorithm, "", template(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })},

		{"RSA of 1024 bits", kiosk.WeakKey, "", key(newKey(t, "rsa1024", "holder").Public())},
		{"RSA of 2031 bits", kiosk.WeakKey, "", key(rsaOf(2031, 65537))},
		{"RSA of 4097 bits", kiosk.WeakKey, "", key(rsaOf(4097, 65537))},
		{"RSA with exponent 3", kiosk.WeakKey, "", key(rsaOf(2048, 3))},
		{"RSA with a factor of 3", kiosk.WeakKey, "", key(&rsa.PublicKey{N: threefold(), E: 65537})},
		{"RSA of the flawed generator", kiosk.WeakKey, "", key(&rsa.PublicKey{N: flawed(), E: 65537})},
		{"ECDSA on P-224", kiosk.WeakKey, "", key(newKey(t, "p224", "holder").Public())},
		{"Ed25519", kiosk.WeakKey, "", key(ed25519.NewKeyFromSeed(make([]byte, 32)).Public())},

		{"a bare serialNumber", kiosk.Identifier, "", serialNumber("100001")},
		{"no serialNumber", kiosk.Identifier, "", serialNumber("")},
		{"two serialNumbers", kiosk.Identifier, "", template(func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "UN:NO-9578-4050-100002"}}
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: c.Subject.SerialNumber})
		})},
		{"a serialNumber without digits", kiosk.Identifier, "", serialNumber("UN:NO-9578-4050-")},
		{"a serialNumber of another register", kiosk.Identifier, "", serialNumber("UN:NO-9578-4051-100001")},
		{"a serialNumber of another country", kiosk.Identifier, "", serialNumber("UN:SE-9578-4050-100001")},
		{"a national identity number", kiosk.Identifier, "", serialNumber("PNONO-01010112345")},
		{"a space after the serialNumber", kiosk.Identifier, "", serialNumber("UN:NO-9578-4050-100001 ")},
		{"a line end after the serialNumber", kiosk.Identifier, "", serialNumber("UN:NO-9578-4050-100001\n")},
		{"digits of another script", kiosk.Identifier, "", serialNumber("UN:NO-9578-4050-\u0661\u0662")},
	})
}

// rsaOf returns a public key with a modulus of the given number of bits and
// without a small prime factor. It has no private key.
func rsaOf(bits, exponent int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	for n.Add(n, big.NewInt(1)); ; n.Add(n, big.NewInt(2)) {
		if new(big.Int).GCD(nil, nil, n, smallPrimes(701)).Cmp(big.NewInt(1)) == 0 {
			return &rsa.PublicKey{N: n, E: exponent}
		}
	}
}

// smallPrimes returns the product of the primes up to last.
func smallPrimes(last int64) *big.Int {
	m := big.NewInt(1)
	for p := int64(2); p <= last; p++ {
		if big.NewInt(p).ProbablyPrime(20) {
			m.Mul(m, big.NewInt(p))
		}
	}
	return m
}

// threefold returns a modulus of 2048 bits that is divisible by 3.
func threefold() *big.Int {
	n := rsaOf(2046, 65537).N
	return n.Mul(n, big.NewInt(3))
}

// flawed returns a modulus of 2048 bits that is a power of 65537 modulo the
// product of the primes up to 701, like those of CVE-2017-15361.
func flawed() *big.Int {
	m := smallPrimes(701)
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	top := new(big.Int).Lsh(big.NewInt(1), 2047)
	return n.Add(n, top.Div(top, m).Add(top, big.NewInt(1)).Mul(top, m))
}
