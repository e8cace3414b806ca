package cardsim

import (
	"bytes"
	oid "encoding/asn1"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// buildFiles makes the file system of a card: EF.DIR, if the application has a
// name, and in the application's DF the files of ISO 7816-15 and the
// certificates.
func buildFiles(l *layout, image Image) *file {
	if l.files != nil {
		return l.files(l, image)
	}
	app := &file{id: l.df, name: l.aid, dedicate: true}
	app.add(
		l.directoryFile(idODF, l.odf()),
		&file{id: idTokenInfo, data: l.tokenInfo(image)},
		l.directoryFile(l.aodf, l.authenticationObjects()),
		l.directoryFile(l.prkdf, l.privateKeys(image)),
		l.directoryFile(l.cdf, l.certificates(image)),
		l.directoryFile(l.trusted, l.authorityCertificates(image)),
	)
	for _, k := range l.keys {
		if key, held := image.Keys[k.name]; held {
			app.add(&file{id: k.certificate, data: key.Certificate})
			if l.keyFiles {
				app.add(&file{id: k.file, secret: true})
			}
		}
	}
	for i, certificate := range image.Authorities {
		app.add(&file{id: l.authorities + uint16(i), data: certificate})
	}
	root := &file{id: idMF, dedicate: true}
	if l.aid != nil {
		root.add(l.directoryFile(idDIR, l.directory()))
	}
	root.add(app)
	for _, f := range append(root.children, app.children...) {
		f.sizeTag = l.sizeTag
	}
	return root
}

// directoryFile makes a directory file and pads it to the kind's size.
func (l *layout) directoryFile(id uint16, objects []byte) *file {
	filling := bytes.Repeat([]byte{l.filler}, max(0, l.filled-len(objects)))
	return &file{id: id, data: append(objects, filling...)}
}

// Tags that ISO 7816-15 uses often.
const (
	context0 = asn1.Tag(0x80)
	context1 = asn1.Tag(0x81)
	context2 = asn1.Tag(0x82)

	constructed = asn1.Tag(0x20)
)

// object is the writer of one ASN.1 value.
type object = *cryptobyte.Builder

func build(f func(b object)) []byte {
	var b cryptobyte.Builder
	f(&b)
	return b.BytesOrPanic()
}

func sequence(b object, f func(b object)) { b.AddASN1(asn1.SEQUENCE, f) }

func text(b object, tag asn1.Tag, s string) { tlv(b, tag, []byte(s)...) }

// flags writes a named bit list without trailing zeros (X.690 §11.2.2).
func flags(b object, bits ...int) {
	var value []byte
	last := 0
	for _, bit := range bits {
		for len(value) <= bit/8 {
			value = append(value, 0)
		}
		value[bit/8] |= 0x80 >> (bit % 8)
		last = max(last, bit)
	}
	unused := byte(7 - last%8)
	if len(bits) == 0 {
		unused = 0
	}
	tlv(b, asn1.BIT_STRING, append([]byte{unused}, value...)...)
}

// path writes a Path to a file in the application's DF, or, without ids, to the
// DF itself. It is absolute, or relative to the DF if the kind has such paths.
func (l *layout) path(b object, ids ...uint16) {
	value := binary.BigEndian.AppendUint16([]byte{0x3F, 0x00}, l.df)
	if l.relative && len(ids) > 0 {
		value = nil
	}
	for _, id := range ids {
		value = binary.BigEndian.AppendUint16(value, id)
	}
	sequence(b, func(b object) { b.AddASN1OctetString(value) })
}

// directory is EF.DIR: one application template (ISO 7816-4 §12.2.2).
func (l *layout) directory() []byte {
	return build(func(b object) {
		b.AddASN1(0x61, func(b object) {
			tlv(b, 0x4F, l.aid...)
			text(b, 0x50, l.label)
			tlv(b, 0x51, 0x3F, 0x00, byte(l.df>>8), byte(l.df))
		})
	})
}

// odf is EF.ODF: where the directory files are (ISO 7816-15 §8.3).
func (l *layout) odf() []byte {
	return build(func(b object) {
		for _, entry := range []struct {
			tag asn1.Tag
			id  uint16
		}{
			{0xA0, l.prkdf},
			{0xA4, l.cdf},
			{0xA5, l.trusted},
			{0xA8, l.aodf},
		} {
			b.AddASN1(entry.tag, func(b object) { l.path(b, entry.id) })
		}
	})
}

// Algorithms of TokenInfo (RFC 8017 §A.1, RFC 5480 §2.1.1).
var (
	oidRSA    = oid.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA256 = oid.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidECDSA  = oid.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
)

const computeSignature = 1 // bit of Operations

func (a algorithm) identifier() oid.ObjectIdentifier {
	switch {
	case a.curve:
		return oidECDSA
	case a.mechanism == mechanismSHA256RSA:
		return oidSHA256
	}
	return oidRSA
}

// tokenInfo is EF.TokenInfo, also called EF.CIAInfo (ISO 7816-15 §8.10).
func (l *layout) tokenInfo(image Image) []byte {
	return build(func(b object) {
		sequence(b, func(b object) {
			b.AddASN1Int64(0) // v1
			b.AddASN1OctetString(image.Serial)
			text(b, asn1.UTF8String, l.manufacturer)
			text(b, context0, l.label)
			flags(b)
			if !l.undescribed {
				b.AddASN1(context2|constructed, l.supportedAlgorithms)
			}
			if !image.Updated.IsZero() {
				b.AddASN1(0xA5, func(b object) { b.AddASN1GeneralizedTime(image.Updated.UTC()) }) // lastUpdate
			}
		})
	})
}

func (l *layout) supportedAlgorithms(b object) {
	for _, a := range l.algorithms {
		sequence(b, func(b object) {
			b.AddASN1Int64(int64(a.index))
			b.AddASN1Int64(a.mechanism)
			tlv(b, asn1.NULL)
			flags(b, computeSignature)
			b.AddASN1ObjectIdentifier(a.identifier())
			b.AddASN1Int64(int64(a.reference))
		})
	}
}

// Bits of PasswordFlags (ISO 7816-15 §8.9.2).
const (
	pinLocal          = 1
	pinUnblockDisable = 3
	pinInitialized    = 4
	pinNeedsPadding   = 5
	pinUnblocking     = 6
)

// authenticationObjects is EF.AODF: the PIN and the PUK (ISO 7816-15 §8.9).
func (l *layout) authenticationObjects() []byte {
	return build(func(b object) {
		for _, p := range l.pins {
			bits := []int{pinInitialized}
			if !p.global {
				bits = append(bits, pinLocal)
			}
			if p.encoding == ascii {
				bits = append(bits, pinNeedsPadding)
			}
			if p.unblockedBy == "" {
				bits = append(bits, pinUnblockDisable, pinUnblocking)
			}
			sequence(b, func(b object) {
				sequence(b, func(b object) { // CommonObjectAttributes
					text(b, asn1.UTF8String, p.label)
					flags(b, 0, 1) // private, modifiable
					if p.unblockedBy != "" {
						b.AddASN1OctetString([]byte{l.pinNamed(p.unblockedBy).id})
					}
				})
				sequence(b, func(b object) { // CommonAuthenticationObjectAttributes
					b.AddASN1OctetString([]byte{p.id})
				})
				b.AddASN1(context1|constructed, func(b object) {
					sequence(b, func(b object) { // PasswordAttributes
						flags(b, bits...)
						tlv(b, asn1.ENUM, p.encoding.passwordType())
						b.AddASN1Int64(int64(p.min))
						b.AddASN1Int64(int64(p.stored))
						b.AddASN1Int64(int64(p.max))
						b.AddASN1Int64WithTag(int64(p.reference), context0)
						if p.encoding == ascii {
							b.AddASN1OctetString([]byte{p.pad})
						}
						if p.global {
							sequence(b, func(b object) { b.AddASN1OctetString([]byte{0x3F, 0x00}) })
						} else {
							l.path(b)
						}
					})
				})
			})
		}
	})
}

// passwordType returns the encoding's value in PasswordAttributes (ISO 7816-15
// §8.9.2).
func (e encoding) passwordType() byte {
	if e == bcd {
		return 0
	}
	return 1 // ascii-numeric
}

func (l *layout) pinNamed(name string) *pinLayout {
	for i := range l.pins {
		if l.pins[i].name == name {
			return &l.pins[i]
		}
	}
	return nil
}

// privateKeys is EF.PrKDF (ISO 7816-15 §8.4).
func (l *layout) privateKeys(image Image) []byte {
	return build(func(b object) {
		for _, k := range l.keys {
			if _, held := image.Keys[k.name]; held {
				l.privateKey(b, k)
			}
		}
	})
}

func (l *layout) privateKey(b object, k keyLayout) {
	choice := asn1.SEQUENCE // privateRSAKey
	if l.algorithmOf(&k).curve {
		choice = 0xA0 // privateECKey
	}
	b.AddASN1(choice, func(b object) {
		sequence(b, func(b object) { // CommonObjectAttributes
			text(b, asn1.UTF8String, k.label)
			flags(b, 0) // private
			b.AddASN1OctetString([]byte{l.pinNamed(k.pin).id})
			if k.consent > 0 {
				b.AddASN1Int64(int64(k.consent))
			}
		})
		sequence(b, func(b object) { // CommonKeyAttributes
			b.AddASN1OctetString([]byte{k.id})
			flags(b, k.usage...)
			flags(b, 0, 2, 3) // sensitive, always sensitive, never extractable
			if !l.keyFiles || l.fileReferences {
				b.AddASN1Int64(int64(k.reference))
			}
			if !l.undescribed {
				b.AddASN1(context1|constructed, func(b object) { b.AddASN1Int64(int64(k.algorithm)) }) // algReference
			}
		})
		b.AddASN1(context1|constructed, func(b object) {
			sequence(b, func(b object) { // PrivateRSAKeyAttributes, PrivateECKeyAttributes
				if l.keyFiles {
					l.path(b, k.file)
				} else {
					l.path(b)
				}
				if choice == asn1.SEQUENCE || l.ecSizes {
					b.AddASN1Int64(int64(k.bits))
				}
			})
		})
	})
}

// certificates is EF.CDF: those of the card's own keys (ISO 7816-15 §8.7).
func (l *layout) certificates(image Image) []byte {
	return build(func(b object) {
		for _, k := range l.keys {
			if _, held := image.Keys[k.name]; held {
				l.certificate(b, k.label, k.id, false, k.certificate)
			}
		}
	})
}

// authorityCertificates is the CDF of the trusted certificates.
func (l *layout) authorityCertificates(image Image) []byte {
	return build(func(b object) {
		for i := range image.Authorities {
			l.certificate(b, "Authority", 0x61+byte(i), true, l.authorities+uint16(i))
		}
	})
}

func (l *layout) certificate(b object, label string, id byte, authority bool, file uint16) {
	sequence(b, func(b object) { // x509Certificate
		sequence(b, func(b object) { // CommonObjectAttributes
			text(b, asn1.UTF8String, label)
			flags(b)
		})
		sequence(b, func(b object) { // CommonCertificateAttributes
			b.AddASN1OctetString([]byte{id})
			if authority {
				b.AddASN1Boolean(true)
			}
		})
		b.AddASN1(context1|constructed, func(b object) {
			sequence(b, func(b object) { l.path(b, file) }) // X509CertificateAttributes
		})
	})
}
