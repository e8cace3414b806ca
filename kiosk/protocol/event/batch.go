package event

import (
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrBatch is the error for a text that is not a JSON array of events.
var ErrBatch = errors.New("no JSON array")

// chunk is the size in bytes of a block of memory that several events of a batch share. A
// larger event has its own block.
const chunk = 256 << 10

// ReadBatch reads a JSON array of events (CloudEvents 1.0, JSON batch format) and calls f
// with each event as soon as it has arrived. f may keep the events. ReadBatch returns the
// first error of f or of r, or ErrBatch. It checks only that the text is JSON. Open finds
// duplicate names and invalid UTF-8, so that one bad event does not make the hub refuse the
// events before it.
func ReadBatch(r io.Reader, f func(cloudEvent []byte) error) error {
	source := &source{r: r}
	err := readBatch(source, f)
	if errors.Is(err, ErrBatch) && source.err != nil {
		return source.err
	}
	return err
}

func readBatch(r io.Reader, f func([]byte) error) error {
	d := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != jsontext.BeginArray.Kind() {
		return ErrBatch
	}
	var room []byte
	for d.PeekKind() != jsontext.EndArray.Kind() {
		value, err := d.ReadValue()
		if err != nil {
			return ErrBatch
		}
		if cap(room)-len(room) < len(value) {
			room = make([]byte, 0, max(chunk, len(value)))
		}
		from := len(room)
		room = append(room, value...)
		if err := f(slices.Clip(room[from:])); err != nil {
			return err
		}
	}
	_, _ = d.ReadToken() // the end, which PeekKind has seen
	if _, err := d.ReadToken(); err != io.EOF {
		return ErrBatch
	}
	return nil
}

// source is a reader that keeps the error with which it failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
