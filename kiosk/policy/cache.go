package policy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
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
	policyBucket, currentKey = "policy", "current"

	crlBucket = "crl-sets" // chunkKey → chunk of a CRL set
	chunkSize = 256 << 10
)

// cache stores the signed policy and its CRL sets in the records. The policy is encrypted
// (AES-256-GCM) under the secret, because it refers to holders; see "Names of holders" in
// package hubpolicy. A thief of the SD card cannot read it if a TPM seals the secret.
type cache struct {
	records Records
	secret  []byte
}

func (c cache) aead() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, c.secret, nil, "smartkiosk stored policy", sha256.Size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// current returns the stored policy, or "" if no policy is stored.
func (c cache) current() (jws string, err error) {
	value, err := c.records.Get(policyBucket, currentKey)
	if err != nil || value == nil {
		return "", err
	}
	a, err := c.aead()
	if err != nil {
		return "", err
	}
	text, err := a.Open(nil, nil, value, nil)
	if err != nil {
		return "", errors.New("cannot use stored policy: it is damaged, or this kiosk's secret has changed")
	}
	return string(text), nil
}

func (c cache) store(jws string) error {
	a, err := c.aead()
	if err != nil {
		return err
	}
	return c.records.Put(policyBucket, map[string][]byte{currentKey: a.Seal(nil, nil, []byte(jws), nil)})
}

func chunkKey(digest string, number int) string { return fmt.Sprintf("%s/%04d", digest, number) }

// crl reads a stored CRL set. It returns nil if the set is missing, incomplete
// or damaged.
func (c cache) crl(named hubpolicy.CRL) (*trust.CRL, error) {
	sum := sha256.New()
	crl, err := trust.ReadCRLSet(io.TeeReader(&chunkReader{cache: c, digest: named.Digest}, sum))
	if err != nil || hex.EncodeToString(sum.Sum(nil)) != named.Digest {
		return nil, err
	}
	return crl, nil
}

// chunkReader reads the chunks of a CRL set as one stream.
type chunkReader struct {
	cache
	digest string
	next   int
	rest   []byte
}

func (r *chunkReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.records.Get(crlBucket, chunkKey(r.digest, r.next)); err != nil {
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

// storeCRL reads a CRL set from in, checks its digest and stores it in chunks.
func (c cache) storeCRL(named hubpolicy.CRL, in io.Reader) (*trust.CRL, error) {
	sum := sha256.New()
	chunks := &chunkWriter{cache: c, digest: named.Digest}
	crl, err := trust.ReadCRLSet(io.TeeReader(io.LimitReader(in, named.Size+1), io.MultiWriter(sum, chunks)))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != named.Digest {
		err = errors.New("the CRL set does not have the digest that the policy names")
	}
	if err == nil {
		err = chunks.flush()
	}
	if err != nil {
		return nil, errors.Join(err, c.deleteCRL(named.Digest))
	}
	return crl, nil
}

// deleteCRL deletes the chunks of one CRL set.
func (c cache) deleteCRL(digest string) error {
	chunks := map[string][]byte{}
	err := c.records.Each(crlBucket, func(key string, _ []byte) error {
		if of, _, _ := strings.Cut(key, "/"); of == digest {
			chunks[key] = nil
		}
		return nil
	})
	if err != nil || len(chunks) == 0 {
		return err
	}
	return c.records.Put(crlBucket, chunks)
}

type chunkWriter struct {
	cache
	digest string
	next   int
	chunk  bytes.Buffer
}

func (w *chunkWriter) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		m := min(len(b)-n, chunkSize-w.chunk.Len())
		w.chunk.Write(b[n : n+m])
		if n += m; w.chunk.Len() == chunkSize {
			err = w.flush()
		}
	}
	return n, err
}

func (w *chunkWriter) flush() error {
	if w.chunk.Len() == 0 {
		return nil
	}
	err := w.records.Put(crlBucket, map[string][]byte{chunkKey(w.digest, w.next): bytes.Clone(w.chunk.Bytes())})
	w.next++
	w.chunk.Reset()
	return err
}

// deleteOldCRLs deletes all chunks of CRL sets that none of the policies names.
// They belong to a former policy or to a download that failed.
func (c cache) deleteOldCRLs(policies ...hubpolicy.Policy) error {
	old := map[string][]byte{}
	err := c.records.Each(crlBucket, func(key string, _ []byte) error {
		digest, _, _ := strings.Cut(key, "/")
		for _, p := range policies {
			for _, named := range p.CRLs {
				if named.Digest == digest {
					return nil
				}
			}
		}
		old[key] = nil
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return c.records.Put(crlBucket, old)
}
