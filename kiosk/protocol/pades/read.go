package pades

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Errors of documents that are not signed here.
var (
	ErrEncrypted = errors.New("it is encrypted")
	ErrNotPDF    = errors.New("it is not a PDF")
)

const (
	maxObjects  = 1 << 20  // in a document
	maxSections = 512      // cross-reference sections
	maxStream   = 64 << 20 // bytes of a decoded stream
	maxPages    = 1 << 16
)

// place says where an object is: at an offset, or as the nth of an object stream.
type place struct {
	offset     int
	generation int
	stream     int // number of the object stream; 0 for none
	index      int
	free       bool
}

// file is a PDF whose cross-references were read.
type file struct {
	text    []byte
	places  map[int]place
	trailer dict           // of the newest section
	start   int            // offset of that section
	streams bool           // that section is a stream
	size    int            // one more than the highest object number
	objects map[int][]byte // object streams that were decoded
}

// open reads the cross-references of a document.
func open(text []byte) (*file, error) {
	if !bytes.Contains(text[:min(len(text), 1024)], []byte("%PDF-")) {
		return nil, ErrNotPDF
	}
	tail := max(0, len(text)-2048)
	at := bytes.LastIndex(text[tail:], []byte("startxref"))
	if at < 0 {
		return nil, fmt.Errorf("%w: startxref is missing", errSyntax)
	}
	v, _, err := value(text[tail+at+len("startxref"):], 0)
	if err != nil {
		return nil, err
	}
	f := &file{text: text, places: map[int]place{}, objects: map[int][]byte{}}
	if f.start, err = number(v); err != nil {
		return nil, err
	}
	return f, f.readSections()
}

// readSections reads the newest section and those before it. An entry of a newer section
// hides those of older ones.
func (f *file) readSections() error {
	seen := map[int]bool{}
	for todo := []int{f.start}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		if at < 0 || at >= len(f.text) || seen[at] || len(seen) == maxSections {
			return fmt.Errorf("%w: a cross-reference section is at %d", errSyntax, at)
		}
		seen[at] = true
		d, stream, err := f.section(at)
		if err != nil {
			return err
		}
		if f.trailer == nil {
			f.trailer, f.streams = d, stream
			if f.size, err = number(d["Size"]); err != nil || f.size > maxObjects {
				return fmt.Errorf("%w: Size is missing or too large", errSyntax)
			}
		}
		if d["Encrypt"] != nil {
			return ErrEncrypted
		}
		for _, key := range []string{"XRefStm", "Prev"} {
			if v := d[key]; v != nil {
				n, err := number(v)
				if err != nil {
					return err
				}
				todo = append(todo, n)
			}
		}
	}
	return nil
}

func (f *file) add(n int, p place) error {
	if n < 0 || n >= maxObjects {
		return fmt.Errorf("%w: object number %d", errSyntax, n)
	}
	if _, newer := f.places[n]; !newer {
		f.places[n] = p
	}
	return nil
}

// section reads the section at an offset, and returns its trailer.
func (f *file) section(at int) (d dict, stream bool, err error) {
	b := skipSpace(f.text[at:])
	if !bytes.HasPrefix(b, []byte("xref")) {
		d, err = f.xrefStream(at)
		return d, true, err
	}
	b = b[len("xref"):]
	for {
		b = skipSpace(b)
		if bytes.HasPrefix(b, []byte("trailer")) {
			d, err = readDict(b[len("trailer"):])
			return d, false, err
		}
		var head [2]int
		for i := range head {
			n := regular(b)
			if head[i], err = number(b[:n]); err != nil {
				return nil, false, err
			}
			b = skipSpace(b[n:])
		}
		for n := head[0]; n < head[0]+head[1]; n++ {
			var fields [3][]byte
			for i := range fields {
				b = skipSpace(b)
				end := regular(b)
				fields[i], b = b[:end], b[end:]
			}
			offset, err := number(fields[0])
			if err != nil {
				return nil, false, err
			}
			generation, err := number(fields[1])
			if err != nil {
				return nil, false, err
			}
			if err := f.add(n, place{offset: offset, generation: generation, free: string(fields[2]) != "n"}); err != nil {
				return nil, false, err
			}
		}
	}
}

// xrefStream reads a cross-reference stream (ISO 32000-1 §7.5.8).
func (f *file) xrefStream(at int) (dict, error) {
	_, body, err := f.objectAt(at)
	if err != nil {
		return nil, err
	}
	d, data, err := f.stream(body)
	if err != nil {
		return nil, err
	}
	w, err := numbers(d["W"])
	if err != nil || len(w) != 3 || max(w[0], w[1], w[2]) > 8 || w[0]+w[1]+w[2] == 0 {
		return nil, fmt.Errorf("%w: W of a cross-reference stream", errSyntax)
	}
	size, err := number(d["Size"])
	if err != nil {
		return nil, err
	}
	index := []int{0, size}
	if d["Index"] != nil {
		if index, err = numbers(d["Index"]); err != nil || len(index)%2 != 0 {
			return nil, fmt.Errorf("%w: Index of a cross-reference stream", errSyntax)
		}
	}
	width := w[0] + w[1] + w[2]
	for i := 0; i < len(index); i += 2 {
		for n := index[i]; n < index[i]+index[i+1]; n++ {
			if len(data) < width {
				return nil, fmt.Errorf("%w: a cross-reference stream is cut off", errSyntax)
			}
			field := func(i, missing int) int {
				if w[i] == 0 {
					return missing
				}
				v := 0
				for _, c := range data[:w[i]] {
					v = v<<8 | int(c)
				}
				data = data[w[i]:]
				return v
			}
			kind, a, b := field(0, 1), field(1, 0), field(2, 0)
			p := place{free: true}
			switch kind {
			case 1:
				p = place{offset: a, generation: b}
			case 2:
				p = place{stream: a, index: b}
			}
			if err := f.add(n, p); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func numbers(b []byte) (all []int, err error) {
	list, err := elements(b)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		n, err := number(v)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// objectAt returns the object "n g obj …" at an offset: its number, and what follows "obj".
func (f *file) objectAt(at int) (n int, body []byte, err error) {
	if at < 0 || at >= len(f.text) {
		return 0, nil, fmt.Errorf("%w: an object is at %d", errSyntax, at)
	}
	b := skipSpace(f.text[at:])
	var head [2]int
	for i := range head {
		end := regular(b)
		if head[i], err = number(b[:end]); err != nil {
			return 0, nil, err
		}
		b = skipSpace(b[end:])
	}
	if !bytes.HasPrefix(b, []byte("obj")) {
		return 0, nil, fmt.Errorf("%w: there is no object at %d", errSyntax, at)
	}
	return head[0], b[len("obj"):], nil
}

// object returns the value of an object as it is written, and its generation.
func (f *file) object(n int) (v []byte, generation int, err error) {
	p, known := f.places[n]
	switch {
	case !known || p.free:
		return nil, 0, fmt.Errorf("%w: object %d is missing", errSyntax, n)
	case p.stream > 0:
		v, err = f.compressed(p)
		return v, 0, err
	}
	number, body, err := f.objectAt(p.offset)
	if err != nil {
		return nil, 0, err
	}
	if number != n {
		return nil, 0, fmt.Errorf("%w: object %d is not at its place", errSyntax, n)
	}
	v, _, err = value(body, 0)
	return v, p.generation, err
}

// compressed returns an object of an object stream (ISO 32000-1 §7.5.7).
func (f *file) compressed(p place) ([]byte, error) {
	at, known := f.places[p.stream]
	if !known || at.free || at.stream > 0 {
		return nil, fmt.Errorf("%w: object stream %d is missing", errSyntax, p.stream)
	}
	_, body, err := f.objectAt(at.offset)
	if err != nil {
		return nil, err
	}
	d, err := readDict(body)
	if err != nil {
		return nil, err
	}
	data := f.objects[p.stream]
	if data == nil {
		if _, data, err = f.stream(body); err != nil {
			return nil, err
		}
		f.objects[p.stream] = data
	}
	first, err := number(d["First"])
	if err != nil || first > len(data) {
		return nil, fmt.Errorf("%w: First of object stream %d", errSyntax, p.stream)
	}
	head := data[:first]
	for i := 0; i <= p.index; i++ {
		var pair [2]int
		for j := range pair {
			head = skipSpace(head)
			end := regular(head)
			if pair[j], err = number(head[:end]); err != nil {
				return nil, err
			}
			head = head[end:]
		}
		if i == p.index {
			if first+pair[1] > len(data) {
				return nil, fmt.Errorf("%w: an object of object stream %d", errSyntax, p.stream)
			}
			v, _, err := value(data[first+pair[1]:], 0)
			return v, err
		}
	}
	return nil, errSyntax
}

// stream decodes a stream: no filter, or FlateDecode, with or without PNG predictors.
func (f *file) stream(body []byte) (d dict, data []byte, err error) {
	text, rest, err := value(body, 0)
	if err != nil {
		return nil, nil, err
	}
	if d, err = readDict(text); err != nil {
		return nil, nil, err
	}
	rest = skipSpace(rest)
	if !bytes.HasPrefix(rest, []byte("stream")) {
		return nil, nil, fmt.Errorf("%w: a stream is missing", errSyntax)
	}
	rest = bytes.TrimPrefix(bytes.TrimPrefix(rest[len("stream"):], []byte("\r")), []byte("\n"))
	length := d["Length"]
	if reference(length) > 0 {
		n, err := target(length)
		if err != nil || f.places[n].stream > 0 { // in a stream it could be in itself
			return nil, nil, fmt.Errorf("%w: Length of a stream", errSyntax)
		}
		if length, _, err = f.object(n); err != nil {
			return nil, nil, err
		}
	}
	n, err := number(length)
	if err != nil || n > len(rest) {
		return nil, nil, fmt.Errorf("%w: Length of a stream", errSyntax)
	}
	data = rest[:n]
	filter := bytes.Trim(d["Filter"], "[] \r\n\t")
	switch string(filter) {
	case "":
		return d, data, nil
	case "/FlateDecode":
	default:
		return nil, nil, fmt.Errorf("its streams have the filter %.40q", filter)
	}
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	if data, err = io.ReadAll(io.LimitReader(z, maxStream)); err != nil {
		return nil, nil, err
	}
	parameters := bytes.Trim(d["DecodeParms"], "[] \r\n\t")
	if len(parameters) == 0 || string(parameters) == "null" {
		return d, data, nil
	}
	p, err := readDict(parameters)
	if err != nil {
		return nil, nil, err
	}
	data, err = unpredict(data, p)
	return d, data, err
}

// unpredict reverses the PNG predictors of RFC 2083 §6, for one byte a pixel.
func unpredict(data []byte, p dict) ([]byte, error) {
	kind, columns := 1, 1
	for key, into := range map[string]*int{"Predictor": &kind, "Columns": &columns} {
		if p[key] != nil {
			var err error
			if *into, err = number(p[key]); err != nil {
				return nil, err
			}
		}
	}
	if kind == 1 {
		return data, nil
	}
	if kind < 10 || columns < 1 || columns > 1<<16 || p["Colors"] != nil && string(p["Colors"]) != "1" || p["BitsPerComponent"] != nil && string(p["BitsPerComponent"]) != "8" {
		return nil, fmt.Errorf("its streams have the predictor %d", kind)
	}
	var out []byte
	above := make([]byte, columns)
	for len(data) > columns {
		filter, row := data[0], bytes.Clone(data[1:columns+1])
		data = data[columns+1:]
		for i := range row {
			var left, corner byte
			if i > 0 {
				left, corner = row[i-1], above[i-1]
			}
			switch filter {
			case 0:
			case 1:
				row[i] += left
			case 2:
				row[i] += above[i]
			case 3:
				row[i] += byte((int(left) + int(above[i])) / 2)
			case 4:
				row[i] += paeth(left, above[i], corner)
			default:
				return nil, fmt.Errorf("%w: a predictor of a row", errSyntax)
			}
		}
		out, above = append(out, row...), row
	}
	return out, nil
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	da, db, dc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case da <= db && da <= dc:
		return a
	case db <= dc:
		return b
	}
	return c
}

func abs(n int) int { return max(n, -n) }

// resolve returns the value behind a reference, or the value itself.
func (f *file) resolve(v []byte) ([]byte, error) {
	if n := reference(v); n == 0 || n != len(v) {
		return v, nil
	}
	n, err := number(v[:regular(v)])
	if err != nil {
		return nil, err
	}
	out, _, err := f.object(n)
	return out, err
}

// target returns the object number of a reference.
func target(v []byte) (int, error) {
	if n := reference(v); n == 0 || n != len(v) {
		return 0, fmt.Errorf("%w: %.20q is not a reference", errSyntax, v)
	}
	return number(v[:regular(v)])
}
