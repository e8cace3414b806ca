package event

import (
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrBatch says that a text is no JSON array of events.
var ErrBatch = errors.New("no JSON array")

// chunk is how many bytes of a batch share one piece of memory, unless an event
// is larger.
const chunk = 256 << 10

// ReadBatch reads a JSON array of events (CloudEvents 1.0, JSON batch format)
// and calls f with each as soon as it has arrived. The events are f's to keep.
// It returns the first error of f or of r, or ErrBatch. It checks only that the
// text is JSON: duplicate names and bad UTF-8 are left to Open, so that the
// events before a bad one are not lost with it.
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
	if _, err := d.ReadToken(); err != nil {
		return ErrBatch
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return ErrBatch
	}
	return nil
}

// source remembers with which error a reader has failed.
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
