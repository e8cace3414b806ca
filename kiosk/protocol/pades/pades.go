// Package pades signs PDF documents at the level PAdES-B-B (ETSI EN 319 142-1): a signature of
// the package cades in an incremental update (ISO 32000-1 §7.5.6), with the sub-filter
// ETSI.CAdES.detached. The bytes of the document stay as they are, and so do earlier
// signatures. The field of the signature is invisible.
//
// Prepare makes the same update from the same document and Options. So the kiosk, whose card
// signs, and the hub, which keeps the document, need to exchange the signature only: each
// makes the rest itself.
//
// Documents with cross-reference tables, cross-reference streams, both, and object streams can
// be signed, in one or several sections, linearized or not. Encrypted documents are refused.
package pades

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reserved is the room for a signature in bytes. It is enough for a chain of certificates and
// a timestamp.
const Reserved = 16 << 10

// Options are the parts of an update that the document does not determine.
type Options struct {
	Time time.Time // when the signer signs, as the signer's machine claims; to the second
}

// Prepared is a document with an update in which the signature is missing.
type Prepared struct {
	original []byte
	update   []byte // what follows the original
	gap      int    // where in the update the hexadecimal digits of the signature begin
}

// Prepare makes the update of a document. Errors: ErrNotPDF, ErrEncrypted, or what is wrong with
// the document.
func Prepare(original []byte, o Options) (*Prepared, error) {
	p, err := prepare(original, o)
	if err != nil {
		return nil, fmt.Errorf("cannot sign PDF: %w", err)
	}
	return p, nil
}

// Digest returns the digest that the signature covers: of everything but the signature.
func (p *Prepared) Digest(h crypto.Hash) []byte {
	sum := h.New()
	sum.Write(p.original)
	sum.Write(p.update[:p.gap-1])
	sum.Write(p.update[p.gap+2*Reserved+1:])
	return sum.Sum(nil)
}

// Signed returns the signed document.
func (p *Prepared) Signed(signature []byte) ([]byte, error) {
	if len(signature) > Reserved {
		return nil, fmt.Errorf("cannot sign PDF: the signature has %d bytes, there is room for %d", len(signature), Reserved)
	}
	out := slices.Concat(p.original, p.update)
	hex.Encode(out[len(p.original)+p.gap:], signature)
	return out, nil
}

// Pages returns the number of pages of a document.
func Pages(original []byte) (int, error) {
	f, err := open(original)
	if err != nil {
		return 0, fmt.Errorf("cannot read PDF: %w", err)
	}
	_, root, err := f.catalog()
	if err != nil {
		return 0, fmt.Errorf("cannot read PDF: %w", err)
	}
	pages, err := f.resolve(root["Pages"])
	if err != nil {
		return 0, fmt.Errorf("cannot read PDF: %w", err)
	}
	d, err := readDict(pages)
	if err != nil {
		return 0, fmt.Errorf("cannot read PDF: %w", err)
	}
	n, err := number(d["Count"])
	if err != nil || n == 0 || n > maxPages {
		return 0, errors.New("cannot read PDF: it has no pages, or too many")
	}
	return n, nil
}

// catalog returns the document's catalog and its object number.
func (f *file) catalog() (n int, d dict, err error) {
	if n, err = target(f.trailer["Root"]); err != nil {
		return 0, nil, err
	}
	text, _, err := f.object(n)
	if err != nil {
		return 0, nil, err
	}
	d, err = readDict(text)
	return n, d, err
}

// firstPage returns the object number of the first page.
func (f *file) firstPage(root dict) (int, error) {
	v := root["Pages"]
	for range maxDepth {
		n, err := target(v)
		if err != nil {
			return 0, err
		}
		text, _, err := f.object(n)
		if err != nil {
			return 0, err
		}
		d, err := readDict(text)
		if err != nil {
			return 0, err
		}
		if d["Kids"] == nil {
			return n, nil
		}
		kids, err := f.resolve(d["Kids"])
		if err != nil {
			return 0, err
		}
		list, err := elements(kids)
		if err != nil || len(list) == 0 {
			return 0, fmt.Errorf("%w: a node of the page tree has no kids", errSyntax)
		}
		v = list[0]
	}
	return 0, fmt.Errorf("%w: the page tree is too deep", errSyntax)
}

// update collects the objects of an update.
type update struct {
	*file
	bytes.Buffer
	offsets map[int]int // in the whole document
	changed map[int]int // generations
}

// write adds an object.
func (u *update) write(n, generation int, value []byte) {
	u.offsets[n], u.changed[n] = len(u.text)+u.Len(), generation
	fmt.Fprintf(u, "%d %d obj\n%s\nendobj\n", n, generation, value)
}

func prepare(original []byte, o Options) (*Prepared, error) {
	f, err := open(original)
	if err != nil {
		return nil, err
	}
	rootNumber, root, err := f.catalog()
	if err != nil {
		return nil, err
	}
	page, err := f.firstPage(root)
	if err != nil {
		return nil, err
	}
	u := &update{file: f, offsets: map[int]int{}, changed: map[int]int{}}
	u.WriteString("\n")
	signature, field := f.size, f.size+1
	p := &Prepared{original: original}

	// The signature comes first, so that the rest need not know where it is.
	head := fmt.Sprintf("<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:%s)\n/ByteRange", o.Time.UTC().Format("20060102150405Z"))
	rangeAt := u.Len() + len(fmt.Sprintf("%d 0 obj\n", signature)) + len(head)
	body := head + strings.Repeat(" ", rangeWidth) + "/Contents<" + strings.Repeat("0", 2*Reserved) + ">>>"
	u.write(signature, 0, []byte(body))
	p.gap = rangeAt + rangeWidth + len("/Contents<")

	ref := func(n int) string { return fmt.Sprintf("%d 0 R", n) }
	u.write(field, 0, []byte(fmt.Sprintf("<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/V %s/P %d %d R/F 132/Rect[0 0 0 0]>>",
		fieldName(f.size), ref(signature), page, f.places[page].generation)))
	if err := u.addToPage(page, ref(field)); err != nil {
		return nil, err
	}
	if err := u.addToForm(rootNumber, root, ref(field)); err != nil {
		return nil, err
	}
	if err := u.finish(field + 1); err != nil {
		return nil, err
	}
	p.update = u.Bytes()
	after := len(original) + p.gap + 2*Reserved + 1
	ranges := fmt.Sprintf("[0 %d %d %d]", len(original)+p.gap-1, after, len(original)+len(p.update)-after)
	if len(ranges) > rangeWidth {
		return nil, errors.New("it is too long")
	}
	copy(p.update[rangeAt:], ranges)
	return p, nil
}

// rangeWidth is the room for ByteRange.
const rangeWidth = 48

// fieldName returns a name that no field of an earlier version of the document has, because
// object numbers only grow.
func fieldName(size int) string { return fmt.Sprintf("Signature-%d", size) }

// addToPage adds the field to the annotations of a page.
func (u *update) addToPage(page int, field string) error {
	text, generation, err := u.object(page)
	if err != nil {
		return err
	}
	d, err := readDict(text)
	if err != nil {
		return err
	}
	annotations, err := u.extended(d["Annots"], field)
	if err != nil || annotations == "" {
		return err
	}
	changed, err := with(text, "Annots", annotations)
	if err == nil {
		u.write(page, generation, changed)
	}
	return err
}

// extended returns an array with one more element. If the array is an object of its own, it
// changes that object and returns "".
func (u *update) extended(array []byte, element string) (string, error) {
	own := 0
	if n := reference(array); n > 0 && n == len(array) {
		var err error
		if own, err = target(array); err != nil {
			return "", err
		}
	}
	text := array
	generation := 0
	if own > 0 {
		var err error
		if text, generation, err = u.object(own); err != nil {
			return "", err
		}
	}
	list, err := [][]byte(nil), error(nil)
	if len(text) > 0 && string(text) != "null" {
		if list, err = elements(text); err != nil {
			return "", err
		}
	}
	out := "[" + string(bytes.Join(append(list, []byte(element)), []byte(" "))) + "]"
	if own > 0 {
		u.write(own, generation, []byte(out))
		return "", nil
	}
	return out, nil
}

// addToForm adds the field to the document's form, and makes the form if the document has no form.
// SigFlags 3: there are signatures, and only incremental updates keep them valid.
func (u *update) addToForm(rootNumber int, root dict, field string) error {
	form := root["AcroForm"]
	own := 0
	if n := reference(form); n > 0 && n == len(form) {
		own, _ = target(form)
	}
	text := form
	if len(text) == 0 || string(text) == "null" {
		text = []byte("<<>>")
	}
	generation := 0
	if own > 0 {
		var err error
		if text, generation, err = u.object(own); err != nil {
			return err
		}
	}
	d, err := readDict(text)
	if err != nil {
		return err
	}
	fields, err := u.extended(d["Fields"], field)
	if err != nil {
		return err
	}
	members := []string{"SigFlags", "3"}
	if fields != "" {
		members = append(members, "Fields", fields)
	}
	changed, err := with(text, members...)
	if err != nil {
		return err
	}
	if own > 0 {
		u.write(own, generation, changed)
		return nil
	}
	text, generation, err = u.object(rootNumber)
	if err != nil {
		return err
	}
	if changed, err = with(text, "AcroForm", string(changed)); err == nil {
		u.write(rootNumber, generation, changed)
	}
	return err
}

// finish writes the cross-reference section, of the same kind as the document's newest one.
func (u *update) finish(size int) error {
	var members []string
	for _, key := range []string{"Root", "Info", "ID"} {
		if v := u.trailer[key]; v != nil {
			members = append(members, key, string(v))
		}
	}
	at := len(u.text) + u.Len()
	if u.streams {
		n := size
		size++
		u.offsets[n], u.changed[n] = at, 0
		members = append(members, "Size", fmt.Sprint(size), "Prev", fmt.Sprint(u.start))
		var data []byte
		index := "["
		for _, run := range u.runs() {
			index += fmt.Sprintf("%d %d ", run[0], len(run))
			for _, n := range run {
				data = append(data, 1)
				data = binary.BigEndian.AppendUint32(data, uint32(u.offsets[n]))
				data = binary.BigEndian.AppendUint16(data, uint16(u.changed[n]))
			}
		}
		members = append(members, "Type", "/XRef", "W", "[1 4 2]", "Index", index+"]", "Length", fmt.Sprint(len(data)))
		text, err := with([]byte("<<>>"), members...)
		if err != nil {
			return err
		}
		fmt.Fprintf(u, "%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n", n, text, data)
	} else {
		members = append(members, "Size", fmt.Sprint(size), "Prev", fmt.Sprint(u.start))
		u.WriteString("xref\n")
		for _, run := range u.runs() {
			fmt.Fprintf(u, "%d %d\n", run[0], len(run))
			for _, n := range run {
				fmt.Fprintf(u, "%010d %05d n\r\n", u.offsets[n], u.changed[n])
			}
		}
		text, err := with([]byte("<<>>"), members...)
		if err != nil {
			return err
		}
		fmt.Fprintf(u, "trailer\n%s\n", text)
	}
	fmt.Fprintf(u, "startxref\n%d\n%%%%EOF\n", at)
	return nil
}

// runs returns the changed object numbers in order, consecutive ones together.
func (u *update) runs() (all [][]int) {
	var numbers []int
	for n := range u.offsets {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if last := len(all) - 1; last >= 0 && all[last][len(all[last])-1] == n-1 {
			all[last] = append(all[last], n)
			continue
		}
		all = append(all, []int{n})
	}
	return all
}
