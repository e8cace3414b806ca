package trust

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"testing"
	"time"
)

// The cache has a maximum number of answers. Expired answers are removed first.
func TestOCSPKeepsNoMoreThanItsBound(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	key := func(i int) (k [sha256.Size]byte) { k[0], k[1], k[2] = byte(i), byte(i>>8), byte(i>>16); return k }
	o := NewOCSP(http.DefaultTransport, rand.Reader)
	for i := range maxOCSPKept {
		until := now.Add(-time.Second)
		if i == 0 {
			until = now.Add(time.Hour)
		}
		o.keep(key(i), ocspAnswer{until: until}, now.Add(-time.Hour))
	}
	o.keep(key(maxOCSPKept), ocspAnswer{until: now.Add(time.Hour)}, now)
	if _, ok := o.kept[key(0)]; !ok || len(o.kept) != 2 {
		t.Errorf("%d answers are kept", len(o.kept))
	}
	for i := range maxOCSPKept + 10 {
		o.keep(key(i), ocspAnswer{until: now.Add(time.Hour)}, now)
	}
	if len(o.kept) != maxOCSPKept {
		t.Errorf("%d answers are kept", len(o.kept))
	}
}
