package webeid_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"smartkiosk/kiosk"
)

// isCritical is an unknown critical extension.
var isCritical = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: []byte{5, 0}}

// distributionPoint returns the extension issuingDistributionPoint with one
// member.
func distributionPoint(t testing.TB, member asn1.RawValue) []pkix.Extension {
	member.Class = asn1.ClassContextSpecific
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: mustMarshal(t, []asn1.RawValue{member})}}
}

// fullName returns a DistributionPointName with one URI.
func fullName(t testing.TB, uri string) asn1.RawValue {
	name := mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	full := mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: name})
	return asn1.RawValue{Tag: 0, IsCompound: true, Bytes: full}
}

func TestHostileCRLs(t *testing.T) {
	der := func(edit func(b []byte) []byte) func(*scene) {
		return func(s *scene) { s.editCRL = edit }
	}
	resigned := func(edit func(tbs []asn1.RawValue) []asn1.RawValue) func(*scene) {
		return func(s *scene) {
			s.editCRL = func(b []byte) []byte { return resign(s.t, b, s.ca.key, edit) }
		}
	}
	extra := func(list ...pkix.Extension) func(*scene) {
		return func(s *scene) { s.crl.ExtraExtensions = append(s.crl.ExtraExtensions, list...) }
	}
	yes := []byte{0xFF}
	// entry replaces the only entry of the CRL.
	entry := func(elements ...any) func(*scene) {
		var list []asn1.RawValue
		for _, e := range elements {
			list = append(list, raw(mustMarshal(t, e)))
		}
		return resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			tbs[5] = raw(mustMarshal(t, [][]asn1.RawValue{list}))
			return tbs
		})
	}

	judgeAll(t, newScene, []hostile{
		{"the certificate is listed", kiosk.Revoked, `the CRL of 2026-11-22T11:00:00Z lists it`, func(s *scene) { s.revoke(4711) }},
		{"the certificate is on hold", kiosk.Revoked, `the CRL of 2026-11-22T11:00:00Z lists it`, func(s *scene) { s.revoke(4711).ReasonCode = 6 }},
		{"listed by a CRL that is too old", kiosk.Revoked, `the CRL of 2026-11-22T11:00:00Z lists it`, func(s *scene) { s.revoke(4711); s.at = now.AddDate(0, 1, 0) }},
		{"listed by a CRL that is to come", kiosk.Revoked, `the CRL of 2026-11-22T13:00:00Z lists it`, func(s *scene) { s.revoke(4711); s.crl.ThisUpdate = now.Add(time.Hour) }},
		{"the CA is listed by the root", kiosk.Revoked, `the CRL of 2026-11-22T11:00:00Z lists it`, func(s *scene) { s.crlKey = s.root }},

		{"nextUpdate is longer ago than the skew", kiosk.RevocationUnknown, `the CRL was good until 2026-11-22T11:54:59Z`, func(s *scene) { s.crl.NextUpdate = now.Add(-skew - time.Second) }},
		{"thisUpdate is in the future", kiosk.RevocationUnknown, `the CRL is of 2026-11-22T12:06:00Z, which is in the future`, func(s *scene) { s.crl.ThisUpdate = now.Add(6 * time.Minute) }},
		{"older than the domain allows", kiosk.RevocationUnknown, `the CRL is of 2026-11-22T11:00:00Z, older than 54m0s`, func(s *scene) { s.domain.MaxCRLAge = 54 * time.Minute }},
		{"older than the domain allows, though good until 9999", kiosk.RevocationUnknown, `the CRL is of 2026-11-22T11:00:00Z, older than 54m0s`, func(s *scene) {
			s.domain.MaxCRLAge = 54 * time.Minute
			s.crl.NextUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		}},
		{"no nextUpdate and no limit", kiosk.RevocationUnknown, `the CRL of 2026-11-22T11:00:00Z names no next one, and no max_crl_age is set`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			return append(tbs[:4:4], tbs[5:]...)
		})},
		{"none", kiosk.RevocationUnknown, `it is cut short`, der(func([]byte) []byte { return nil })},
		{"cut short", kiosk.RevocationUnknown, `it is cut short`, der(func(b []byte) []byte { return b[:len(b)-1] })},
		{"a byte after it", kiosk.RevocationUnknown, `something follows it`, der(func(b []byte) []byte { return append(b, 0) })},
		{"of indefinite length", kiosk.RevocationUnknown, `a length that is indefinite or too long`, der(func(b []byte) []byte { return indefinite(t, b) })},
		{"in base64 without PEM", kiosk.RevocationUnknown, `tag 4d`, der(func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) })},
		{"in PEM of something else", kiosk.RevocationUnknown, `the PEM block is not an X509 CRL`, der(func(b []byte) []byte {
			return []byte("-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END CERTIFICATE-----\n")
		})},
		{"one bit of its signature changed", kiosk.RevocationUnknown, `it is not signed by a CA of the trust domain that may sign CRLs`, der(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"an entry changed", kiosk.RevocationUnknown, `it is not signed by a CA of the trust domain that may sign CRLs`, der(func(b []byte) []byte { b[len(b)/2] ^= 1; return b })},
		{"by the root for the CA's certificates", kiosk.RevocationUnknown, `no CRL of its issuer is at hand`, func(s *scene) {
			s.crlKey = s.root
			s.crl.RevokedCertificateEntries = nil
		}},
		{"by another CA of the same name", kiosk.RevocationUnknown, `it is not signed by a CA of the trust domain that may sign CRLs`, func(s *scene) {
			s.crlKey = newAuthority(s.t, authorityTemplate("Test Person CA"), "impostor", nil)
		}},
		{"by a CA that may sign none", kiosk.RevocationUnknown, `it is not signed by a CA of the trust domain that may sign CRLs`, func(s *scene) {
			s.crlKey = s.ca
			tmpl := authorityTemplate("Test Person CA")
			tmpl.KeyUsage = x509.KeyUsageCertSign
			s.replaceCA(tmpl)
		}},
		{"signed over SHA-1", kiosk.RevocationUnknown, `signature algorithm 1.2.840.10045.4.1 is not accepted`, func(s *scene) {
			s.editCRL = func(b []byte) []byte { return overSHA1(s.t, b, s.ca.key.(*ecdsa.PrivateKey)) }
		}},
		{"two signature algorithms", kiosk.RevocationUnknown, `it names two signature algorithms`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			tbs[1] = raw(mustMarshal(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}}))
			return tbs
		})},
		{"version 3", kiosk.RevocationUnknown, `its version is not 2`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			tbs[0] = raw([]byte{2, 1, 2})
			return tbs
		})},
		{"version 1 with extensions", kiosk.RevocationUnknown, `tag a0`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue { return tbs[1:] })},
		{"something after its extensions", kiosk.RevocationUnknown, `something follows its extensions`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			return append(tbs, raw([]byte{5, 0}))
		})},
		{"two lists", kiosk.RevocationUnknown, `tag 30`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			return append(tbs[:6:6], tbs[5:]...)
		})},
		{"an extension twice", kiosk.RevocationUnknown, `extension 1.3.6.1.4.1.32473.1 occurs twice`, extra(
			pkix.Extension{Id: isCritical.Id, Value: []byte{5, 0}}, pkix.Extension{Id: isCritical.Id, Value: []byte{5, 0}})},
		{"an unknown critical extension", kiosk.RevocationUnknown, `extension 1.3.6.1.4.1.32473.1: it is critical and not known`, extra(isCritical)},
		{"an unknown critical extension of an entry", kiosk.RevocationUnknown, `extension 1.3.6.1.4.1.32473.1: it is critical and not known`, func(s *scene) {
			s.revoke(2).ExtraExtensions = []pkix.Extension{isCritical}
		}},
		{"an entry of another issuer", kiosk.RevocationUnknown, `extension 2.5.29.29: it is critical and not known`, func(s *scene) { // certificateIssuer, RFC 5280 §5.3.3
			s.revoke(2).ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}
		}},
		{"a delta", kiosk.RevocationUnknown, `extension 2.5.29.27: a delta CRL is not used`, extra(pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}})},
		{"indirect", kiosk.RevocationUnknown, `extension 2.5.29.28: an indirect CRL is not used`, extra(distributionPoint(t, asn1.RawValue{Tag: 4, Bytes: yes})...)},
		{"about some reasons", kiosk.RevocationUnknown, `extension 2.5.29.28: a CRL about some reasons only is not used`, extra(distributionPoint(t, asn1.RawValue{Tag: 3, Bytes: []byte{6, 0x40}})...)},
		{"about CAs", kiosk.RevocationUnknown, `no CRL of its issuer is at hand`, extra(distributionPoint(t, asn1.RawValue{Tag: 2, Bytes: yes})...)},
		{"about attribute certificates", kiosk.RevocationUnknown, `extension 2.5.29.28: a CRL about attribute certificates is not used`, extra(distributionPoint(t, asn1.RawValue{Tag: 5, Bytes: yes})...)},
		{"about another part of the certificates", kiosk.RevocationUnknown, `no CRL of its issuer is at hand`, extra(distributionPoint(t, fullName(t, "http://crl.example/other.crl"))...)},
		{"a boolean that is neither", kiosk.RevocationUnknown, `extension 2.5.29.28: it is unreadable`, extra(distributionPoint(t, asn1.RawValue{Tag: 1, Bytes: []byte{1}})...)},
		{"a negative number", kiosk.RevocationUnknown, `extension 2.5.29.20: it is not a non-negative INTEGER`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			number := mustMarshal(t, []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: []byte{2, 1, 0xFF}}})
			tbs[6] = raw(mustMarshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: number}))
			return tbs
		})},
		{"a serial number of 22 octets", kiosk.RevocationUnknown, `it has no serial number, or one too long`, entry(new(big.Int).Lsh(big.NewInt(1), 168), now)},
		{"a serial number with a zero too many", kiosk.RevocationUnknown, `its serial number is not in the shortest form`, entry(raw([]byte{2, 2, 0, 1}), now)},
		{"an entry that is not a SEQUENCE", kiosk.RevocationUnknown, `tag 05`, resigned(func(tbs []asn1.RawValue) []asn1.RawValue {
			return append(append(tbs[:5:5], raw([]byte{0x30, 2, 5, 0})), tbs[len(tbs)-1])
		})},
		{"an entry without a date", kiosk.RevocationUnknown, `it has no date`, entry(big.NewInt(1))},
		{"a thirteenth month", kiosk.RevocationUnknown, `"261301000000Z" is not a valid time`, entry(big.NewInt(1), raw(append([]byte{0x17, 13}, "261301000000Z"...)))},
		{"a time with a zone", kiosk.RevocationUnknown, `"261101000000+0100" is not a valid time`, entry(big.NewInt(1), raw(append([]byte{0x17, 17}, "261101000000+0100"...)))},
	})
}

// overSHA1 signs a CRL with SHA-1.
func overSHA1(t testing.TB, der []byte, key *ecdsa.PrivateKey) []byte {
	var whole, tbs []asn1.RawValue
	mustUnmarshal(t, der, &whole)
	mustUnmarshal(t, whole[0].FullBytes, &tbs)
	tbs[1] = raw(mustMarshal(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}}))
	whole[0], whole[1] = raw(mustMarshal(t, tbs)), tbs[1]
	digest := sha1.Sum(whole[0].FullBytes)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	whole[2] = raw(mustMarshal(t, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}))
	return mustMarshal(t, whole)
}

// Unusual CRLs that are accepted all the same.
func TestUnusualCRLs(t *testing.T) {
	for name, change := range map[string]func(s *scene){
		"good until 9999":  func(s *scene) { s.crl.NextUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) },
		"five minutes off": func(s *scene) { s.crl.ThisUpdate = now.Add(5 * time.Minute) },
		"empty":            func(s *scene) { s.crl.RevokedCertificateEntries = nil },
		"no nextUpdate, but a limit": func(s *scene) {
			s.domain.MaxCRLAge = 2 * time.Hour
			s.editCRL = func(b []byte) []byte {
				return resign(t, b, s.ca.key, func(tbs []asn1.RawValue) []asn1.RawValue { return append(tbs[:4:4], tbs[5:]...) })
			}
		},
		"version 1": func(s *scene) {
			s.editCRL = func(b []byte) []byte {
				return resign(t, b, s.ca.key, func(tbs []asn1.RawValue) []asn1.RawValue { return tbs[1:6] })
			}
		},
		"in PEM": func(s *scene) {
			s.editCRL = func(b []byte) []byte {
				return []byte("-----BEGIN X509 CRL-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END X509 CRL-----\n")
			}
		},
		"about holders": func(s *scene) {
			s.crl.ExtraExtensions = distributionPoint(t, asn1.RawValue{Tag: 1, Bytes: []byte{0xFF}})
		},
		"of the certificate's point": func(s *scene) { s.crl.ExtraExtensions = distributionPoint(t, fullName(t, crlURL)) },
		"an extension that is not critical": func(s *scene) {
			s.crl.ExtraExtensions = []pkix.Extension{{Id: isCritical.Id, Value: []byte{5, 0}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			change(s)
			if holder, err := s.judge(); err != nil || holder != kari {
				t.Errorf("got %+v, %v, %v", holder, err, s.crlErr)
			}
		})
	}
}
