package smartkort

import (
	"bytes"
	"context"
	"errors"
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
// A6) belong to authorities. It skips an entry that it cannot decode and returns
// why in skipped. The error says that no entry is usable.
func decodeODF(file []byte) (d odf, skipped []error, err error) {
	n := 0
	for o, err := range tlv.Objects(file) {
		if n++; n > maxObjects {
			skipped = append(skipped, fmt.Errorf("%w: more than %d entries", ErrMalformed, maxObjects))
			break
		}
		if err != nil {
			skipped = append(skipped, fmt.Errorf("%w: entry %d: %v", ErrMalformed, n, err))
			break
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
			skipped = append(skipped, fmt.Errorf("entry %d: %w", n, f.err))
			continue
		}
		*list = append(*list, p)
	}
	if len(d.privateKeys)+len(d.certificates)+len(d.authObjects) == 0 {
		err = fmt.Errorf("%w: object directory names no keys, certificates or PINs", ErrMalformed)
		return odf{}, nil, errors.Join(append(skipped, err)...)
	}
	return d, skipped, nil
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

// readObjects reads the directory files of one kind and calls decode for each
// object in them. It skips files and objects that are invalid and notes them.
// problem is the first of these. The error says that the card cannot be read, or,
// when there is no valid object at all, why.
func (c *Card) readObjects(ctx context.Context, kind string, paths []Path, decode func(tlv.Object) error) (problem, err error) {
	skip := func(err error) {
		c.note(kind+" directory", err)
		if problem == nil {
			problem = err
		}
	}
	n, valid := 0, 0
	for _, p := range paths {
		file, err := c.readDirectory(ctx, p)
		if err != nil && (!skippable(err) || len(c.memory) > 0) {
			return nil, fmt.Errorf("cannot read %s directory: %w", kind, err)
		}
		if err != nil {
			skip(err)
			continue
		}
		for o, err := range tlv.Objects(file) {
			n++
			if err == nil && n > maxObjects {
				err = fmt.Errorf("%w: more than %d objects", ErrMalformed, maxObjects)
			}
			if err == nil {
				if err = decode(o); err == nil {
					valid++
					continue
				}
				err = fmt.Errorf("object %d: %w", n, err)
			}
			if !skippable(err) {
				err = fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			if skip(err); n > maxObjects {
				break
			}
		}
	}
	if valid == 0 && problem != nil {
		return problem, fmt.Errorf("cannot read %s directory: %w", kind, problem)
	}
	return problem, nil
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
