// Package raucbundle reads what a RAUC bundle says about itself, and orders versions of
// systems. It checks no signature: the kiosk's RAUC does that before it writes anything.
//
// A bundle in the verity format (RAUC reference, "Bundle Formats") is a squashfs, a hash
// tree, a CMS SignedData (RFC 5652) that contains the manifest, and the size of the CMS in
// 8 bytes, big-endian. In the older plain format the manifest is inside the squashfs; this
// package does not read that.
package raucbundle

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxSize is the maximum size of a bundle, in bytes.
const MaxSize = 1 << 30

// maxCMS is the maximum size of the signature with the manifest, in bytes, as in RAUC.
const maxCMS = 64 << 10

// Manifest is what a bundle says about itself.
type Manifest struct {
	Compatible string // the kind of machine that the bundle is for
	Version    string
}

// Read reads the manifest of a bundle of size bytes.
func Read(bundle io.ReaderAt, size int64) (Manifest, error) {
	m, err := read(bundle, size)
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot read bundle: %w", err)
	}
	return m, nil
}

func read(bundle io.ReaderAt, size int64) (m Manifest, err error) {
	var length [8]byte
	switch {
	case size > MaxSize:
		return m, fmt.Errorf("it has %d bytes, and the maximum is %d", size, MaxSize)
	case size < 4+int64(len(length)):
		return m, errors.New("it is too short for a RAUC bundle")
	}
	if _, err := bundle.ReadAt(length[:4], 0); err != nil {
		return m, err
	}
	if string(length[:4]) != "hsqs" {
		return m, errors.New("it is no RAUC bundle: it does not begin with a squashfs")
	}
	if _, err := bundle.ReadAt(length[:], size-8); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint64(length[:])
	if n == 0 || n > maxCMS || int64(n) > size-8 {
		return m, errors.New("it has no signature at its end")
	}
	cms := make([]byte, n)
	if _, err := bundle.ReadAt(cms, size-8-int64(n)); err != nil {
		return m, err
	}
	text, err := content(cms)
	if err != nil {
		return m, err
	}
	return parse(text)
}

var signedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// content returns the content inside a CMS SignedData (RFC 5652 §5.1).
func content(cms []byte) ([]byte, error) {
	var info, outer, signed, encapsulated, explicit, text cryptobyte.String
	var kind, inner asn1.ObjectIdentifier
	in := cryptobyte.String(cms)
	if !in.ReadASN1(&info, tag.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(signedData) ||
		!info.ReadASN1(&outer, tag.Tag(0).ContextSpecific().Constructed()) || !outer.ReadASN1(&signed, tag.SEQUENCE) ||
		!signed.SkipASN1(tag.INTEGER) || !signed.SkipASN1(tag.SET) || !signed.ReadASN1(&encapsulated, tag.SEQUENCE) ||
		!encapsulated.ReadASN1ObjectIdentifier(&inner) {
		return nil, errors.New("its signature is no CMS SignedData")
	}
	if encapsulated.Empty() {
		return nil, errors.New("it has the plain format: make it with format=verity in the manifest's section [bundle]")
	}
	if !encapsulated.ReadASN1(&explicit, tag.Tag(0).ContextSpecific().Constructed()) || !explicit.ReadASN1(&text, tag.OCTET_STRING) {
		return nil, errors.New("its signature is no CMS SignedData")
	}
	return text, nil
}

// parse reads a manifest: sections in brackets, then lines of key=value.
func parse(text []byte) (m Manifest, err error) {
	section := ""
	for line := range strings.Lines(string(bytes.ToValidUTF8(text, nil))) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch section + strings.TrimSpace(key) {
		case "[update]compatible":
			m.Compatible = value
		case "[update]version":
			m.Version = value
		}
	}
	if !ValidName(m.Compatible) {
		return Manifest{}, fmt.Errorf("compatible is %q, not 1 to 64 letters, digits and any of . + ~ _ -", m.Compatible)
	}
	if !ValidName(m.Version) {
		return Manifest{}, fmt.Errorf("version is %q, not 1 to 64 letters, digits and any of . + ~ _ -", m.Version)
	}
	return m, nil
}

// ValidName reports whether s can be a version, or a kind of machine.
func ValidName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || isDigit(byte(r)) && r < 0x80 || strings.ContainsRune(".+~_-", r))
	})
}
