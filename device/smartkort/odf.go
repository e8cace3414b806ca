package smartkort

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"smartkiosk/device/apdu/tlv"
)

// odf says which files hold the directories of keys, certificates and PINs
// (EF.OD, ISO 7816-15 §8.3).
type odf struct {
	privateKeys, certificates, authorities, authObjects []Path
}

// Tags of CIOChoice.
const (
	choicePrivateKeys  = 0xA0
	choiceCertificates = 0xA4
	choiceTrusted      = 0xA5
	choiceUseful       = 0xA6
	choiceAuthObjects  = 0xA8
)

// decodeODF decodes EF.OD: one PathOrObjects per directory. Only the choice
// that points to a file occurs on cards. Trusted and useful certificates (A5,
// A6) belong to authorities.
func decodeODF(file []byte) (odf, error) {
	var d odf
	n := 0
	for o, err := range tlv.Objects(file) {
		if err != nil {
			return odf{}, fmt.Errorf("%w: object directory: %v", ErrMalformed, err)
		}
		if n++; n > maxObjects {
			return odf{}, fmt.Errorf("%w: object directory of over %d entries", ErrMalformed, maxObjects)
		}
		var list *[]Path
		switch o.Tag {
		case choicePrivateKeys:
			list = &d.privateKeys
		case choiceCertificates:
			list = &d.certificates
		case choiceTrusted, choiceUseful:
			list = &d.authorities
		case choiceAuthObjects:
			list = &d.authObjects
		default:
			continue
		}
		f := fields{rest: o.Value}
		p := f.path()
		if f.err != nil {
			return odf{}, fmt.Errorf("object directory entry %d: %w", n, f.err)
		}
		*list = append(*list, p)
	}
	if len(d.privateKeys)+len(d.certificates)+len(d.authObjects) == 0 {
		return odf{}, fmt.Errorf("%w: object directory names no keys, certificates or PINs", ErrMalformed)
	}
	return d, nil
}

// parent returns the DF that contains all directories, or nil when their
// absolute paths are in different DFs.
func (d odf) parent() []byte {
	var df []byte
	for _, p := range slices.Concat(d.privateKeys, d.certificates, d.authorities, d.authObjects) {
		n := len(p.File) - 2
		if n < 4 || !bytes.HasPrefix(p.File, masterFile) || df != nil && !bytes.Equal(p.File[:n], df) {
			return nil
		}
		df = p.File[:n]
	}
	return df
}

// readObjects reads directory files and calls decode for each object in them.
func (c *Card) readObjects(ctx context.Context, paths []Path, decode func(tlv.Object) error) error {
	n := 0
	for _, p := range paths {
		file, err := c.readDirectory(ctx, p)
		if err != nil {
			return err
		}
		for o, err := range tlv.Objects(file) {
			if err != nil {
				return fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			if n++; n > maxObjects {
				return fmt.Errorf("%w: over %d objects", ErrMalformed, maxObjects)
			}
			if err := decode(o); err != nil {
				return fmt.Errorf("object %d: %w", n, err)
			}
		}
	}
	return nil
}

// label makes a text from the card safe to display: valid UTF-8, printable and
// short.
func label(b []byte) string {
	s := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(b[:min(len(b), 255)]))
	return strings.TrimSpace(s)
}
