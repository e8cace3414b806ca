package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/trust"
)

// Records keep values across restarts (store.Records).
type Records interface {
	Get(bucket, key string) ([]byte, error)
	Put(bucket string, values map[string][]byte) error
	Each(bucket string, f func(key string, value []byte) error) error
}

const (
	ordersBucket, currentKey = "orders", "current"
	crlBucket                = "crl-sets" // digest/number → part
	partSize                 = 256 << 10
)

// shelf keeps orders and hubpolicy.CRL sets.
type shelf struct{ records Records }

// current gives the orders kept, "" if there are none.
func (s shelf) current() (jws string, err error) {
	value, err := s.records.Get(ordersBucket, currentKey)
	return string(value), err
}

func (s shelf) keep(jws string) error {
	return s.records.Put(ordersBucket, map[string][]byte{currentKey: []byte(jws)})
}

func partKey(digest string, part int) string { return fmt.Sprintf("%s/%04d", digest, part) }

// crl reads the hubpolicy.CRL set of this digest, nil if it is not kept whole.
func (s shelf) crl(c hubpolicy.CRL) (*trust.CRL, error) {
	sum := sha256.New()
	crl, err := trust.ReadCRLSet(io.TeeReader(&partReader{s, c.Digest, 0, nil}, sum))
	if err != nil || hex.EncodeToString(sum.Sum(nil)) != c.Digest {
		return nil, err
	}
	return crl, nil
}

// partReader reads the parts of a set one after the other.
type partReader struct {
	shelf
	digest string
	next   int
	rest   []byte
}

func (r *partReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.records.Get(crlBucket, partKey(r.digest, r.next)); err != nil {
			return 0, err
		}
		if len(r.rest) == 0 {
			return 0, io.EOF
		}
		r.next++
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill reads the set that c names from in and keeps it, a part at a time.
func (s shelf) fill(c hubpolicy.CRL, in io.Reader) (*trust.CRL, error) {
	sum := sha256.New()
	parts := &partWriter{shelf: s, digest: c.Digest}
	crl, err := trust.ReadCRLSet(io.TeeReader(io.LimitReader(in, c.Size+1), io.MultiWriter(sum, parts)))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != c.Digest {
		err = errors.New("the hubpolicy.CRL set is not the one that the orders name")
	}
	if err == nil {
		err = parts.flush()
	}
	if err != nil {
		return nil, err
	}
	return crl, nil
}

type partWriter struct {
	shelf
	digest string
	next   int
	part   bytes.Buffer
}

func (w *partWriter) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		m := min(len(b)-n, partSize-w.part.Len())
		w.part.Write(b[n : n+m])
		if n += m; w.part.Len() == partSize {
			err = w.flush()
		}
	}
	return n, err
}

func (w *partWriter) flush() error {
	if w.part.Len() == 0 {
		return nil
	}
	err := w.records.Put(crlBucket, map[string][]byte{partKey(w.digest, w.next): bytes.Clone(w.part.Bytes())})
	w.next++
	w.part.Reset()
	return err
}

// tidy drops the sets that o does not name.
func (s shelf) tidy(o hubpolicy.Policy) error {
	old := map[string][]byte{}
	err := s.records.Each(crlBucket, func(key string, _ []byte) error {
		digest, _, _ := strings.Cut(key, "/")
		for _, c := range o.CRLs {
			if c.Digest == digest {
				return nil
			}
		}
		old[key] = nil
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.records.Put(crlBucket, old)
}
