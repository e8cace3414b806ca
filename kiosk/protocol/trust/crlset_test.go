package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// aSet returns a CRL of n entries and the same CRL as a set.
func aSet(t testing.TB, n int) (*CRL, []byte) {
	t.Helper()
	der, ca := longCRL(t, n)
	crl, err := ReadCRL(bytes.NewReader(der), []*x509.Certificate{ca})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if size, err := crl.WriteTo(&b); err != nil || size != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes, %v", size, b.Len(), err)
	}
	return crl, b.Bytes()
}

// A set and its CRL list the same certificates. The set takes a fifth of the
// size.
func TestCRLSet(t *testing.T) {
	const n = 20_000
	crl, text := aSet(t, n)
	crl.points, crl.onlyUsers = []string{"http://crl.example/1"}, true
	var b bytes.Buffer
	if _, err := crl.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 8*n+1000 || len(text) >= b.Len() {
		t.Errorf("the set has %d bytes", b.Len())
	}
	got, err := ReadCRLSet(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for i := -2; i < n+2; i++ {
		serial := &x509.Certificate{SerialNumber: serialOf(i)}
		if got.lists(serial) != crl.lists(serial) || got.lists(serial) != (i >= 0 && i < n) {
			t.Fatalf("of entry %d the set says %v, the CRL %v", i, got.lists(serial), crl.lists(serial))
		}
	}
	if !got.sameScope(crl) || !got.ThisUpdate.Equal(crl.ThisUpdate) || !got.NextUpdate.Equal(crl.NextUpdate) || got.Number.Cmp(crl.Number) != 0 {
		t.Errorf("the set is %+v, the CRL %+v", got.ThisUpdate, crl.ThisUpdate)
	}
	if got.Len() != n || cap(got.revoked) > n+n/50 {
		t.Errorf("it has %d entries and a capacity of %d", got.Len(), cap(got.revoked))
	}
}

func TestBadCRLSets(t *testing.T) {
	_, good := aSet(t, 2)
	text := string(good)
	head := strings.Index(text, "\n{") + 1
	marks := len(text) - 16
	for _, c := range []struct{ name, set, want string }{
		{"empty", "", "does not begin"},
		{"a CRL", "0\x82" + text, "does not begin"},
		{"another version", strings.Replace(text, "set 1", "set 2", 1), "does not begin"},
		{"head cut", text[:head+20], "head is cut short"},
		{"head without end", text[:head] + strings.Repeat(" ", maxCRLSetHead+1), "head is cut short or too long"},
		{"head no JSON", text[:head] + "[]\n", "head is unreadable"},
		{"no issuer", text[:head] + `{"this_update":"2026-01-01T00:00:00Z","count":0}` + "\n", "no issuer"},
		{"no time", text[:head] + `{"issuer":"MAA=","count":0}` + "\n", "no issuer or no time"},
		{"negative number", strings.Replace(text, `"number":1`, `"number":-1`, 1), "number is negative"},
		{"negative count", strings.Replace(text, `"count":2`, `"count":-2`, 1), "claims -2"},
		{"endless count", strings.Replace(text, `"count":2`, `"count":99999999999`, 1), "claims 99999999999"},
		{"more than there are", strings.Replace(text, `"count":2`, `"count":99999`, 1), "cut short"},
		{"fewer than there are", strings.Replace(text, `"count":2`, `"count":1`, 1), "something follows"},
		{"cut", text[:len(text)-1], "cut short"},
		{"longer", text + "x", "something follows"},
		{"twice the same", text[:marks+8] + text[marks:marks+8], "entry 2 is not after the one before"},
		{"not sorted", text[:marks] + text[marks+8:] + text[marks:marks+8], "not after the one before"},
	} {
		if _, err := ReadCRLSet(strings.NewReader(c.set)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzCRLSet(f *testing.F) {
	_, good := aSet(f, 3)
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadCRLSet(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCRLSet(&b)
		if err != nil || again.Len() != c.Len() || !again.sameScope(c) {
			t.Fatalf("written and read again: %v", err)
		}
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestCRLSetNotWritten(t *testing.T) {
	crl, _ := aSet(t, 1)
	if _, err := crl.WriteTo(fullDisk{}); err == nil {
		t.Error("a set on a full disk is no error")
	}
}

// Of several CRLs with the same scope the newest is used: a certificate that
// only an older CRL lists is not revoked.
func TestWithCRLs(t *testing.T) {
	older, _ := aSet(t, 2)
	newer := *older
	newer.Number = big.NewInt(2)
	other := *older
	other.onlyUsers = true
	d := &Domains{domains: []*domain{{Domain: Domain{Name: "a", CRLs: []*CRL{older}}}, {Domain: Domain{Name: "b"}}}}
	for name, more := range map[string][]*CRL{"newer": {&newer, &other}, "older last": {&newer, &other, older}} {
		got := d.WithCRLs(map[string][]*CRL{"a": more}).CRLs("a")
		if len(got) != 2 || got[0] != &newer || got[1] != &other {
			t.Errorf("%s: %d CRLs stay: %v", name, len(got), got)
		}
	}
	if len(d.CRLs("a")) != 1 || len(d.WithCRLs(nil).CRLs("b")) != 0 {
		t.Error("domains were changed that should not be")
	}
}
