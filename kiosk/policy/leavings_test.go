package policy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

var errReset = errors.New("connection reset by peer")

// poorLine is a hub behind a line that breaks before the end of each CRL set.
type poorLine struct {
	*bench
	breaks bool
}

func (l poorLine) CRLSet(ctx context.Context, digest string) (io.ReadCloser, error) {
	if !l.breaks {
		return l.bench.CRLSet(ctx, digest)
	}
	set := l.sets[digest]
	return io.NopCloser(io.MultiReader(bytes.NewReader(set[:len(set)*9/10]), brokenReader{})), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errReset }

// largeSet returns a CRL set of more than one chunk. day distinguishes them.
func (b *bench) largeSet(day int) (hubpolicy.CRL, []byte) {
	small := b.sets[b.policy.CRLs[0].Digest]
	head := bytes.Replace(small[:bytes.Index(small, []byte("}\n"))+2], []byte(`"count":1}`), []byte(`"count":100000}`), 1)
	large := bytes.NewBuffer(bytes.Clone(head))
	for i := range 100_000 {
		large.Write([]byte{0, 0, 0, byte(i >> 16), byte(i >> 8), byte(i), 0, byte(day)})
	}
	sum := sha256.Sum256(large.Bytes())
	return hubpolicy.CRL{Domain: "test", Digest: hex.EncodeToString(sum[:]), Size: int64(large.Len())}, large.Bytes()
}

// TestBrokenDownloads: the hub names a new CRL set each day, and no download of
// one is completed. The chunks must not accumulate, and the set in force stays.
func TestBrokenDownloads(t *testing.T) {
	b := newBench(t)
	if err := b.syncer.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	inForce, small := b.disk.count("crl-sets"), b.policy
	for day := range 5 {
		b.policy = small
		crl, set := b.largeSet(day)
		b.policy.CRLs, b.sets[crl.Digest] = []hubpolicy.CRL{crl}, set
		b.syncer.Hub = poorLine{b, true}
		if err := b.syncer.Fetch(t.Context()); err == nil {
			t.Fatalf("day %d: the fetch did not fail", day)
		}
		if n := b.disk.count("crl-sets"); n != inForce {
			t.Fatalf("day %d: %d chunks of CRL sets are stored, %d are in use", day, n, inForce)
		}
	}
	b.syncer.Hub = poorLine{b, false}
	if err := b.syncer.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.disk.count("crl-sets"); n != 4 {
		t.Errorf("%d chunks of the new CRL set are stored, want 4", n)
	}
}

// TestKilledDownload: chunks that a killed process left are deleted at the next
// start, with and without a policy.
func TestKilledDownload(t *testing.T) {
	b := newBench(t)
	leave := func() {
		if err := b.disk.Put("crl-sets", map[string][]byte{"00ff/0000": {1}, "00ff/0001": {2}}); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	if err := b.syncer.Open(); err != nil || b.disk.count("crl-sets") != 0 {
		t.Errorf("without a policy %d chunks are left, %v", b.disk.count("crl-sets"), err)
	}
	if err := b.syncer.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	inForce := b.disk.count("crl-sets")
	leave()
	if err := b.syncer.Open(); err != nil || b.disk.count("crl-sets") != inForce {
		t.Errorf("%d chunks are left, %d are in use, %v", b.disk.count("crl-sets"), inForce, err)
	}
}
