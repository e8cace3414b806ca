package trust

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"smartkiosk/kiosk"
)

// ocspAnswer is a responder's answer about one certificate.
type ocspAnswer struct {
	good, revoked bool      // both false: the responder does not know the certificate
	this          time.Time // thisUpdate
	until         time.Time // when the answer expires; zero if it has no nextUpdate
}

func (a ocspAnswer) refusal() error {
	this := a.this.UTC().Format(time.RFC3339)
	if a.revoked {
		return Refuse(kiosk.Revoked, "the responder said so at %s", this)
	}
	return Refuse(kiosk.RevocationUnknown, "the responder said at %s that it does not know the certificate", this)
}

// certID identifies a certificate in an OCSP request (RFC 6960 §4.1.1). The
// hash is SHA-1, because every responder supports it (RFC 5019 §2.1.1). It only
// distinguishes issuers; the security of the answer depends on its signature.
type certID struct{ name, key, serial []byte }

var (
	oidSHA1      = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidOCSPNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

func newCertID(cert, issuer *x509.Certificate) certID {
	name, hash := sha1.Sum(issuer.RawSubject), sha1.Sum(publicKeyBits(issuer))
	return certID{name[:], hash[:], serialContent(cert.SerialNumber)}
}

// publicKeyBits returns the content of the BIT STRING of c's public key.
func publicKeyBits(c *x509.Certificate) []byte {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info) // crypto/x509 has parsed it before
	return info.Key.RightAlign()
}

// ocspRequest encodes a request for one certificate, with a nonce (RFC 6960
// §4.1, RFC 9654).
func ocspRequest(id certID, nonce []byte) ([]byte, error) {
	var b cryptobyte.Builder
	sequence := func(b *cryptobyte.Builder, f cryptobyte.BuilderContinuation) {
		b.AddASN1(cryptobyte_asn1.SEQUENCE, f)
	}
	sequence(&b, func(b *cryptobyte.Builder) { // OCSPRequest
		sequence(b, func(b *cryptobyte.Builder) { // TBSRequest
			sequence(b, func(b *cryptobyte.Builder) { // requestList
				sequence(b, func(b *cryptobyte.Builder) { // Request
					sequence(b, func(b *cryptobyte.Builder) { // CertID
						sequence(b, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(oidSHA1)
							b.AddASN1NULL()
						})
						b.AddASN1OctetString(id.name)
						b.AddASN1OctetString(id.key)
						b.AddASN1(cryptobyte_asn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(id.serial) })
					})
				})
			})
			b.AddASN1(cryptobyte_asn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) { // requestExtensions
					sequence(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidOCSPNonce)
						b.AddASN1(cryptobyte_asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}

// judgeOCSP reads a response to a request for id and nonce. It returns an error
// if the response was signed by neither issuer nor a responder that issuer
// authorised, if it is about another certificate or nonce, or if it is not
// valid at the given time.
func (d *domain) judgeOCSP(response []byte, id certID, nonce []byte, issuer *x509.Certificate, at time.Time) (ocspAnswer, error) {
	r, err := ocsp.ParseResponse(response, nil)
	if err != nil {
		return ocspAnswer{}, err
	}
	gotID, gotNonce, err := readResponseData(r.TBSResponseData)
	if err != nil {
		return ocspAnswer{}, fmt.Errorf("cannot read response: %w", err)
	}
	if !bytes.Equal(gotID.name, id.name) || !bytes.Equal(gotID.key, id.key) || !bytes.Equal(gotID.serial, id.serial) {
		return ocspAnswer{}, errors.New("the answer is about another certificate")
	}
	if err := d.checkResponder(r, issuer, at); err != nil {
		return ocspAnswer{}, err
	}
	if gotNonce == nil && !d.OCSP.NonceOptional {
		return ocspAnswer{}, errors.New("the answer has no nonce")
	}
	if gotNonce != nil && !bytes.Equal(gotNonce, nonce) {
		return ocspAnswer{}, errors.New("the answer has another nonce")
	}
	a := ocspAnswer{good: r.Status == ocsp.Good, revoked: r.Status == ocsp.Revoked, this: r.ThisUpdate}
	this := r.ThisUpdate.UTC().Format(time.RFC3339)
	maxAge := d.OCSP.maxAge()
	switch {
	case !begun(r.ThisUpdate, at, d.skew()):
		return ocspAnswer{}, fmt.Errorf("the answer is of %s, which is in the future", this)
	case ended(r.ThisUpdate.Add(maxAge), at, d.skew()):
		return ocspAnswer{}, fmt.Errorf("the answer is of %s, older than %s", this, maxAge)
	case r.NextUpdate.IsZero():
		return a, nil
	case ended(r.NextUpdate, at, d.skew()):
		return ocspAnswer{}, fmt.Errorf("the answer was good until %s", r.NextUpdate.UTC().Format(time.RFC3339))
	}
	a.until = r.ThisUpdate.Add(maxAge)
	if r.NextUpdate.Before(a.until) {
		a.until = r.NextUpdate
	}
	return a, nil
}

// checkResponder checks who signed r: the issuer itself, or the holder of a
// certificate that the issuer made for OCSP signing only (RFC 6960 §4.2.2.2).
// If r contains a certificate, the library has only verified the signature with
// that certificate. It would accept any certificate of the issuer.
func (d *domain) checkResponder(r *ocsp.Response, issuer *x509.Certificate, at time.Time) error {
	if !slices.Contains(ocspSignatures, r.SignatureAlgorithm) {
		return fmt.Errorf("the answer is signed with %s", r.SignatureAlgorithm)
	}
	signer := issuer
	if r.Certificate != nil {
		signer = r.Certificate
	} else if err := r.CheckSignatureFrom(issuer); err != nil {
		return fmt.Errorf("the issuer has not signed the answer: %w", err)
	}
	hash := sha1.Sum(publicKeyBits(signer))
	if r.RawResponderName != nil && !bytes.Equal(r.RawResponderName, signer.RawSubject) ||
		r.ResponderKeyHash != nil && !bytes.Equal(r.ResponderKeyHash, hash[:]) {
		return errors.New("the answer names another responder than the one who has signed it")
	}
	if bytes.Equal(signer.Raw, issuer.Raw) {
		return nil
	}
	switch {
	case !bytes.Equal(signer.RawIssuer, issuer.RawSubject) || signer.CheckSignatureFrom(issuer) != nil:
		return errors.New("the responder's certificate is not of the issuer")
	case signer.IsCA || !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("the responder's certificate is not for OCSP signing")
	case signer.KeyUsage != 0 && signer.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("the responder's certificate is not for signatures")
	case len(signer.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("the responder's certificate has critical extension %s", signer.UnhandledCriticalExtensions[0])
	case !begun(signer.NotBefore, at, d.skew()) || ended(signer.NotAfter, at, d.skew()):
		return errors.New("the responder's certificate is not valid now")
	}
	for _, crl := range d.CRLs {
		if crl.covers(signer) && crl.lists(signer) {
			return errors.New("the responder's certificate is revoked")
		}
	}
	return checkKey(signer.PublicKey)
}

// ocspSignatures are the accepted signature algorithms of an answer. The
// library also accepts ECDSA with SHA-1 (x509.Certificate.CheckSignature).
var ocspSignatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519,
}

// readResponseData reads the fields of ResponseData (RFC 6960 §4.2.1) that the
// library does not export: the CertID of the single answer, and the nonce,
// which is nil if it is missing.
func readResponseData(tbs []byte) (id certID, nonce []byte, err error) {
	unreadable := errors.New("it is no ResponseData")
	tag := func(n uint8) cryptobyte_asn1.Tag { return cryptobyte_asn1.Tag(n).ContextSpecific().Constructed() }
	in := cryptobyte.String(tbs)
	var data, responder, responses, single, cid, algorithm, extensions cryptobyte.String
	var responderTag cryptobyte_asn1.Tag
	var hash asn1.ObjectIdentifier
	var extended bool
	if !in.ReadASN1(&data, cryptobyte_asn1.SEQUENCE) || !in.Empty() ||
		!data.SkipOptionalASN1(tag(0)) ||
		!data.ReadAnyASN1(&responder, &responderTag) ||
		!data.SkipASN1(cryptobyte_asn1.GeneralizedTime) ||
		!data.ReadASN1(&responses, cryptobyte_asn1.SEQUENCE) ||
		!data.ReadOptionalASN1(&extensions, &extended, tag(1)) || !data.Empty() ||
		!responses.ReadASN1(&single, cryptobyte_asn1.SEQUENCE) || !responses.Empty() ||
		!single.ReadASN1(&cid, cryptobyte_asn1.SEQUENCE) ||
		!cid.ReadASN1(&algorithm, cryptobyte_asn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&hash) || !hash.Equal(oidSHA1) ||
		!cid.ReadASN1((*cryptobyte.String)(&id.name), cryptobyte_asn1.OCTET_STRING) ||
		!cid.ReadASN1((*cryptobyte.String)(&id.key), cryptobyte_asn1.OCTET_STRING) ||
		!cid.ReadASN1((*cryptobyte.String)(&id.serial), cryptobyte_asn1.INTEGER) || !cid.Empty() {
		return certID{}, nil, unreadable
	}
	if !extended {
		return id, nil, nil
	}
	err = eachExtension(extensions, func(id extensionID, critical bool, value cryptobyte.String) error {
		if id == idOCSPNonce {
			var n cryptobyte.String
			if !value.ReadASN1(&n, cryptobyte_asn1.OCTET_STRING) || !value.Empty() {
				return errors.New("it is no nonce")
			}
			nonce = n
			return nil
		}
		if critical {
			return errCritical
		}
		return nil
	})
	return id, nonce, err
}
