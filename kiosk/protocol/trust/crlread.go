package trust

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of signatures
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Upper bounds of the parts of a CRL, and the length of the shortest entry, all
// in bytes.
const (
	maxCRL        = 128 << 20
	maxCRLElement = 64 << 10 // the issuer's name, the extensions, the signature
	maxCRLEntry   = 4 << 10
	minCRLEntry   = 2 + 3 + 15 // SEQUENCE { INTEGER, UTCTime }
)

// crlSignatures are the accepted signature algorithms of a CRL.
var crlSignatures = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
	rsa  bool
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256, false},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384, false},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512, false},
}

// ReadCRL reads a CRL in DER or PEM. One of the issuers must have signed it,
// and in DER no data may follow it. The CRL in memory takes 8 bytes for each
// listed certificate and little else, whatever the length of the input.
//
// ReadCRL refuses a CRL that it cannot apply completely (RFC 5280 §5.2, §5.3):
// one with an unknown critical extension, a delta CRL, an indirect CRL, and a
// CRL that covers only some reasons.
func ReadCRL(r io.Reader, issuers []*x509.Certificate) (*CRL, error) {
	in := bufio.NewReaderSize(io.LimitReader(r, maxCRL), 1<<16)
	if start, _ := in.Peek(11); string(start) == "-----BEGIN " {
		if line, err := in.ReadString('\n'); err != nil || string(bytes.TrimSpace([]byte(line))) != "-----BEGIN X509 CRL-----" {
			return nil, errors.New("cannot read CRL: the PEM block is not an X509 CRL")
		}
		in = bufio.NewReader(base64.NewDecoder(base64.StdEncoding, untilDash{in}))
	}
	c, err := readCRL(in, issuers)
	if err != nil {
		return nil, fmt.Errorf("cannot read CRL: %w", err)
	}
	return c, nil
}

// untilDash ends at the first `-`, with which the last line of a PEM block
// begins.
type untilDash struct{ in *bufio.Reader }

func (u untilDash) Read(b []byte) (int, error) {
	ahead, err := u.in.Peek(min(len(b), u.in.Size()))
	if len(ahead) == 0 {
		return 0, err
	}
	n := bytes.IndexByte(ahead, '-')
	if n == 0 {
		return 0, io.EOF
	}
	if n < 0 {
		n = len(ahead)
	}
	return u.in.Read(b[:n])
}

func readCRL(in *bufio.Reader, issuers []*x509.Certificate) (*CRL, error) {
	d := &derStream{in: in}
	end, err := d.header(tagSequence, maxCRL)
	if err != nil {
		return nil, err
	}
	d.keep = true
	tbsEnd, err := d.header(tagSequence, end)
	if err != nil {
		return nil, err
	}
	c, inner, err := d.tbsCertList(tbsEnd)
	if err != nil {
		return nil, err
	}
	digest := d.hash.Sum(nil)
	d.hash = nil
	outer, err := d.content(tagSequence, end, maxCRLElement)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(outer, inner) {
		return nil, errors.New("it names two signature algorithms")
	}
	signature, err := d.content(tagBitString, end, maxCRLElement)
	if err != nil {
		return nil, err
	}
	if len(signature) < 2 || signature[0] != 0 {
		return nil, errors.New("its signature is not a whole number of bytes")
	}
	if d.offset != end {
		return nil, errors.New("it has unexpected elements at its end")
	}
	if b, _ := in.Peek(1); len(b) > 0 {
		return nil, errors.New("something follows it")
	}
	if err := checkCRLSignature(c, inner, digest, signature[1:], issuers); err != nil {
		return nil, err
	}
	slices.Sort(c.revoked)
	return c, nil
}

// tbsCertList reads tbsCertList, the signed part, and returns it with the
// content of its AlgorithmIdentifier. Afterwards d.hash contains all bytes of
// the signed part.
func (d *derStream) tbsCertList(end int64) (c *CRL, algorithm []byte, err error) {
	c = &CRL{}
	v2 := false
	if tag, err := d.peek(); err != nil {
		return nil, nil, err
	} else if tag == tagInteger {
		version, err := d.content(tagInteger, end, 8)
		if err != nil {
			return nil, nil, err
		}
		if !bytes.Equal(version, []byte{1}) {
			return nil, nil, errors.New("its version is not 2")
		}
		v2 = true
	}
	if algorithm, err = d.content(tagSequence, end, maxCRLElement); err != nil {
		return nil, nil, err
	}
	hash, _, err := crlSignature(algorithm)
	if err != nil {
		return nil, nil, err
	}
	d.hashFrom(hash.New())
	name, err := d.content(tagSequence, end, maxCRLElement)
	if err != nil {
		return nil, nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(name) })
	c.issuer = b.BytesOrPanic()
	if c.ThisUpdate, err = d.time(end); err != nil {
		return nil, nil, err
	}
	for d.offset < end {
		tag, err := d.peek()
		if err != nil {
			return nil, nil, err
		}
		switch {
		case (tag == tagUTCTime || tag == tagGeneralizedTime) && c.NextUpdate.IsZero() && c.revoked == nil:
			c.NextUpdate, err = d.time(end)
		case tag == tagSequence && c.revoked == nil:
			c.revoked, err = d.entries(end)
		case tag == tagExtensions && v2:
			var extensions []byte
			if extensions, err = d.content(tagExtensions, end, maxCRLElement); err == nil {
				err = c.readExtensions(extensions)
			}
			if err == nil && d.offset != end {
				err = errors.New("something follows its extensions")
			}
		default:
			err = fmt.Errorf("tag %02x at byte %d is unexpected in a CRL", tag, d.offset)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return c, algorithm, nil
}

func (d *derStream) time(limit int64) (time.Time, error) {
	tag, err := d.peek()
	if err != nil {
		return time.Time{}, err
	}
	text, err := d.content(tag, limit, 32)
	if err != nil {
		return time.Time{}, err
	}
	return parseTime(tag, text)
}

// parseTime reads a UTCTime or a GeneralizedTime in the form that RFC 5280
// §4.1.2.5 requires.
func parseTime(tag byte, text []byte) (time.Time, error) {
	layout := "060102150405Z"
	switch tag {
	case tagUTCTime:
	case tagGeneralizedTime:
		layout = "20060102150405Z"
	default:
		return time.Time{}, fmt.Errorf("tag %02x is not a time", tag)
	}
	t, err := time.Parse(layout, string(text))
	if err != nil || t.Format(layout) != string(text) {
		return time.Time{}, fmt.Errorf("%.32q is not a valid time", text)
	}
	if tag == tagUTCTime && t.Year() >= 2050 {
		t = t.AddDate(-100, 0, 0)
	}
	return t, nil
}

// entries reads revokedCertificates.
func (d *derStream) entries(limit int64) (serials, error) {
	end, err := d.header(tagSequence, limit)
	if err != nil {
		return nil, err
	}
	set := serials{}
	room := make([]byte, maxCRLEntry)
	for d.offset < end {
		start := d.offset
		entry, err := d.contentIn(room, tagSequence, end)
		if err != nil {
			return nil, err
		}
		serial, err := readEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("entry at byte %d: %w", start, err)
		}
		if len(set) == cap(set) { // the entries of one CRL have about the same length
			set = slices.Grow(set, int((end-d.offset)/max(d.offset-start, minCRLEntry))+1)
		}
		set = append(set, mark(serial))
	}
	return slices.Clip(set), nil
}

// readEntry returns the serial number (content octets) of one revoked
// certificate.
func readEntry(entry []byte) (serial []byte, err error) {
	s := cryptobyte.String(entry)
	var number, date cryptobyte.String
	var tag cryptobyte_asn1.Tag
	if !s.ReadASN1(&number, cryptobyte_asn1.INTEGER) || len(number) == 0 || len(number) > maxSerial+1 {
		return nil, errors.New("it has no serial number, or one too long")
	}
	if len(number) > 1 && (number[0] == 0 && number[1] < 0x80 || number[0] == 0xFF && number[1] >= 0x80) {
		return nil, errors.New("its serial number is not in the shortest form")
	}
	if !s.ReadAnyASN1(&date, &tag) {
		return nil, errors.New("it has no date")
	}
	if _, err := parseTime(byte(tag), date); err != nil {
		return nil, err
	}
	if s.Empty() {
		return number, nil
	}
	err = eachExtension(s, func(_ extensionID, critical bool, _ cryptobyte.String) error {
		if critical {
			return errCritical
		}
		return nil
	})
	return number, err
}

// crlSignature returns the hash of an AlgorithmIdentifier, and whether the
// signature is RSA. It returns an error for an algorithm that is not in
// crlSignatures.
func crlSignature(content []byte) (h crypto.Hash, isRSA bool, err error) {
	s := cryptobyte.String(content)
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return 0, false, errors.New("its signature algorithm is unreadable")
	}
	for _, a := range crlSignatures {
		if a.oid.Equal(oid) {
			return a.hash, a.rsa, nil
		}
	}
	return 0, false, fmt.Errorf("signature algorithm %s is not accepted", oid)
}

// checkCRLSignature returns nil if one of the issuers has the name of c's
// issuer, may sign CRLs and has signed c.
func checkCRLSignature(c *CRL, algorithm, digest, signature []byte, issuers []*x509.Certificate) error {
	hash, isRSA, err := crlSignature(algorithm)
	if err != nil {
		return err
	}
	for _, ca := range issuers {
		if !bytes.Equal(ca.RawSubject, c.issuer) || ca.KeyUsage&x509.KeyUsageCRLSign == 0 {
			continue
		}
		switch k := ca.PublicKey.(type) {
		case *rsa.PublicKey:
			if isRSA && rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil {
				return nil
			}
		case *ecdsa.PublicKey:
			if !isRSA && ecdsa.VerifyASN1(k, digest, signature) {
				return nil
			}
		}
	}
	return errors.New("it is not signed by a CA of the trust domain that may sign CRLs")
}

// bigOf reads a non-negative INTEGER, which must be all of value.
func bigOf(value cryptobyte.String) (*big.Int, error) {
	n := new(big.Int)
	if !value.ReadASN1Integer(n) || !value.Empty() || n.Sign() < 0 {
		return nil, errors.New("it is not a non-negative INTEGER")
	}
	return n, nil
}
