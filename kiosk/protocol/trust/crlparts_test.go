package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// tlv encodes an element of DER with the concatenation of the parts as its content.
func tlv(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

// Parts of a CRL.
var (
	withSHA256 = tlv(0x30, []byte{6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2})
	withSHA384 = tlv(0x30, []byte{6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3})
	utcTime    = tlv(0x17, []byte("261122120000Z"))
	version2   = []byte{2, 1, 1}
	entry7     = tlv(0x30, []byte{2, 1, 7}, utcTime)
	crlNumber  = tlv(0x30, []byte{6, 3, 0x55, 0x1D, 0x14}, tlv(4, []byte{2, 1, 9}))
)

// A CRL that its issuer has signed is refused for the part that is wrong in it.
func TestCRLParts(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := newCA(t, key)
	name, extensions := ca.RawSubject, tlv(0xA0, tlv(0x30, crlNumber))
	revoked := tlv(0x30, entry7)
	sound := [][]byte{version2, withSHA256, name, utcTime, utcTime, revoked, extensions}
	with := func(place int, parts ...[]byte) [][]byte {
		return slices.Replace(slices.Clone(sound), place, place+1, parts...)
	}
	for what, tt := range map[string]struct {
		tbs  [][]byte
		rest func(signature []byte) [][]byte // nil for the algorithm and the signature
		want string                          // "" if the CRL is accepted
	}{
		"sound":                       {sound, nil, ""},
		"version 1":                   {[][]byte{withSHA256, name, utcTime, utcTime, revoked}, nil, ""},
		"no nextUpdate":               {with(4), nil, ""},
		"no entries":                  {with(5), nil, ""},
		"an empty list":               {with(5, tlv(0x30)), nil, ""},
		"no extensions":               {with(6), nil, ""},
		"version 3":                   {with(0, []byte{2, 1, 2}), nil, "its version is not 2"},
		"version 1 in full":           {with(0, []byte{2, 1, 0}), nil, "its version is not 2"},
		"a long version":              {with(0, tlv(2, make([]byte, 9))), nil, "an element of 9 bytes"},
		"a version past its end":      {[][]byte{{2, 9, 1}}, nil, "ends after the element that contains it"},
		"no algorithm":                {with(1), nil, "signature algorithm is unreadable"},
		"an unknown algorithm":        {with(1, tlv(0x30, []byte{6, 3, 0x2A, 3, 4})), nil, "signature algorithm 1.2.3.4 is not accepted"},
		"a number for an algorithm":   {with(1, tlv(0x30, []byte{2, 1, 1})), nil, "signature algorithm is unreadable"},
		"no name":                     {with(2), nil, "tag 17 at byte"},
		"no time":                     {with(3, tlv(0x31)), nil, "tag 31 is not a time"},
		"a wrong time":                {with(3, tlv(0x17, []byte("261322120000Z"))), nil, `"261322120000Z" is not a valid time`},
		"a long time":                 {with(3, tlv(0x17, make([]byte, 33))), nil, "an element of 33 bytes"},
		"a wrong nextUpdate":          {with(4, tlv(0x17, []byte("2611221200Z"))), nil, "is not a valid time"},
		"a third time":                {with(4, utcTime, utcTime), nil, "tag 17 at byte"},
		"a time after the list":       {[][]byte{version2, withSHA256, name, utcTime, revoked, utcTime}, nil, "tag 17 at byte"},
		"two lists":                   {with(5, revoked, revoked), nil, "is unexpected in a CRL"},
		"extensions of version 1":     {[][]byte{withSHA256, name, utcTime, extensions}, nil, "tag a0 at byte"},
		"something after extensions":  {with(6, extensions, utcTime), nil, "something follows its extensions"},
		"two extensions":              {with(6, extensions, extensions), nil, "something follows its extensions"},
		"bad extensions":              {with(6, tlv(0xA0, tlv(0x31))), nil, "its extensions are unreadable"},
		"a list that is too long":     {with(6, []byte{0x30, 9}), nil, "is unexpected in a CRL"},
		"an entry past its end":       {with(5, tlv(0x30, []byte{0x30, 9, 2, 1, 7})), nil, "ends after the element that contains it"},
		"a bad entry":                 {with(5, tlv(0x30, entry7, tlv(0x30, utcTime))), nil, "entry at byte"},
		"only a version":              {[][]byte{version2}, nil, "ends after the element that contains it"},
		"two algorithms":              {sound, func(s []byte) [][]byte { return [][]byte{withSHA384, tlv(3, []byte{0}, s)} }, "two signature algorithms"},
		"no signature":                {sound, func([]byte) [][]byte { return [][]byte{withSHA256} }, "cut short"},
		"an empty signature":          {sound, func([]byte) [][]byte { return [][]byte{withSHA256, tlv(3, []byte{0})} }, "not a whole number of bytes"},
		"a signature of bits":         {sound, func(s []byte) [][]byte { return [][]byte{withSHA256, tlv(3, []byte{1}, s)} }, "not a whole number of bytes"},
		"something after that":        {sound, func(s []byte) [][]byte { return [][]byte{withSHA256, tlv(3, []byte{0}, s), version2} }, "unexpected elements at its end"},
		"a signature of another text": {sound, func(s []byte) [][]byte { s[len(s)-1] ^= 1; return [][]byte{withSHA256, tlv(3, []byte{0}, s)} }, "sign"},
	} {
		tbs := tlv(0x30, tt.tbs...)
		digest := sha256.Sum256(tbs)
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		rest := [][]byte{withSHA256, tlv(3, []byte{0}, signature)}
		if tt.rest != nil {
			rest = tt.rest(signature)
		}
		der := tlv(0x30, append([][]byte{tbs}, rest...)...)
		c, err := ReadCRL(bytes.NewReader(der), []*x509.Certificate{ca})
		switch {
		case tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		case what == "sound":
			if c.Len() != 1 || !c.revoked.has([]byte{7}) || c.Number.Cmp(big.NewInt(9)) != 0 || !c.NextUpdate.Equal(ca.NotAfter) || !c.ThisUpdate.Equal(ca.NotBefore) {
				t.Errorf("read %+v", c)
			}
			for n := range der { // cut short anywhere
				if _, err := ReadCRL(bytes.NewReader(der[:n]), []*x509.Certificate{ca}); err == nil || !strings.Contains(err.Error(), "cut short") {
					t.Errorf("%d of %d bytes: %v", n, len(der), err)
				}
			}
			if _, err := ReadCRL(bytes.NewReader(append(der, 0)), []*x509.Certificate{ca}); err == nil || !strings.Contains(err.Error(), "something follows it") {
				t.Errorf("one byte more: %v", err)
			}
		}
	}
}

func TestEachExtension(t *testing.T) {
	oid, value := []byte{6, 3, 0x2A, 3, 4}, tlv(4, []byte{5, 0})
	sound := tlv(0x30, oid, value)
	for what, tt := range map[string]struct {
		s    []byte
		want string // the extensions, or the error
	}{
		"none":                  {tlv(0x30), ""},
		"one":                   {tlv(0x30, sound), "1.2.3.4 false 0500;"},
		"critical":              {tlv(0x30, tlv(0x30, oid, []byte{1, 1, 0xFF}, value)), "1.2.3.4 true 0500;"},
		"not critical in full":  {tlv(0x30, tlv(0x30, oid, []byte{1, 1, 0}, value)), "1.2.3.4 false 0500;"},
		"two":                   {tlv(0x30, sound, tlv(0x30, []byte{6, 2, 0x2A, 3}, value)), "1.2.3.4 false 0500;1.2.3 false 0500;"},
		"no list":               {sound[2:], "its extensions are unreadable"},
		"something after it":    {append(tlv(0x30), 5, 0), "its extensions are unreadable"},
		"no extension":          {tlv(0x30, oid), "its extensions are unreadable"},
		"no identifier":         {tlv(0x30, tlv(0x30, value)), "its extensions are unreadable"},
		"a wrong boolean":       {tlv(0x30, tlv(0x30, oid, []byte{1, 1, 2}, value)), "its extensions are unreadable"},
		"no value":              {tlv(0x30, tlv(0x30, oid)), "its extensions are unreadable"},
		"something after value": {tlv(0x30, tlv(0x30, oid, value, value)), "its extensions are unreadable"},
		"the same again":        {tlv(0x30, sound, sound), "extension 1.2.3.4 occurs twice"},
		"stop":                  {tlv(0x30, tlv(0x30, []byte{6, 1, 0x2B}, value), sound), "extension 1.3: it is critical and not known"},
		"an invalid identifier": {tlv(0x30, tlv(0x30, []byte{6, 1, 0x80}, value)), "80 false 0500;"},
	} {
		var got strings.Builder
		err := eachExtension(tt.s, func(id extensionID, critical bool, value cryptobyte.String) error {
			if id == "\x2B" {
				return errCritical
			}
			got.WriteString(id.String())
			got.WriteString(map[bool]string{true: " true ", false: " false "}[critical])
			got.WriteString(hex.EncodeToString(value))
			got.WriteString(";")
			return nil
		})
		if err != nil {
			got.Reset()
			got.WriteString(err.Error())
		}
		if got.String() != tt.want {
			t.Errorf("%s: %q, want %q", what, got.String(), tt.want)
		}
	}
}

func TestDistributionPoint(t *testing.T) {
	uri := tlv(0x86, []byte("http://a"))
	named := func(parts ...[]byte) []byte { return tlv(0xA0, tlv(0xA0, parts...)) }
	yes, no := []byte{0xFF}, []byte{0}
	for what, tt := range map[string]struct {
		list []byte
		want CRL
		err  string
	}{
		"empty":              {tlv(0x30), CRL{}, ""},
		"users":              {tlv(0x30, tlv(0x81, yes)), CRL{onlyUsers: true}, ""},
		"CAs":                {tlv(0x30, tlv(0x82, yes)), CRL{onlyCAs: true}, ""},
		"a name":             {tlv(0x30, named(uri)), CRL{points: []string{"http://a"}}, ""},
		"no name":            {tlv(0x30, named()), CRL{points: []string{}}, ""},
		"names of two kinds": {tlv(0x30, named(tlv(0x82, []byte("host")), uri), tlv(0x81, yes)), CRL{points: []string{"http://a"}, onlyUsers: true}, ""},
		"no list":            {tlv(0x31), CRL{}, "it is unreadable"},
		"something after it": {append(tlv(0x30), 5, 0), CRL{}, "it is unreadable"},
		"a cut point":        {tlv(0x30, []byte{0xA0, 9}), CRL{}, "it is unreadable"},
		"a relative name":    {tlv(0x30, tlv(0xA0, tlv(0xA1))), CRL{}, "no full name"},
		"two full names":     {tlv(0x30, tlv(0xA0, tlv(0xA0, uri), tlv(0xA0, uri))), CRL{}, "no full name"},
		"a cut name":         {tlv(0x30, named([]byte{0x86, 9, 'h'})), CRL{}, "it is unreadable"},
		"a cut element":      {tlv(0x30, []byte{0x81, 9, 0xFF}), CRL{}, "it is unreadable"},
		"users: false":       {tlv(0x30, tlv(0x81, no)), CRL{}, "it is unreadable"},
		"users: two bytes":   {tlv(0x30, tlv(0x81, yes, yes)), CRL{}, "it is unreadable"},
		"CAs: false":         {tlv(0x30, tlv(0x82, no)), CRL{}, "it is unreadable"},
		"some reasons":       {tlv(0x30, tlv(0x83, []byte{1, 2})), CRL{}, "some reasons only"},
		"indirect":           {tlv(0x30, tlv(0x84, yes)), CRL{}, "an indirect CRL"},
		"indirect: false":    {tlv(0x30, tlv(0x84, no)), CRL{}, "it is unreadable"},
		"attributes":         {tlv(0x30, tlv(0x85, yes)), CRL{}, "attribute certificates"},
		"attributes: false":  {tlv(0x30, tlv(0x85, no)), CRL{}, "it is unreadable"},
		"an unknown element": {tlv(0x30, tlv(0x86, yes)), CRL{}, "it is unreadable"},
	} {
		var c CRL
		err := c.readDistributionPoint(tt.list)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", what, err, tt.err)
			}
		} else if err != nil || c.onlyUsers != tt.want.onlyUsers || c.onlyCAs != tt.want.onlyCAs || !slices.Equal(c.points, tt.want.points) || (c.points == nil) != (tt.want.points == nil) {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}

// The answer of an OCSP responder is read only if each part is in its place.
func TestReadResponseData(t *testing.T) {
	responder, produced := tlv(0xA2, tlv(4, make([]byte, 20))), tlv(0x18, []byte("20261122120000Z"))
	sha1, sha256 := tlv(0x30, []byte{6, 5, 0x2B, 0x0E, 3, 2, 0x1A, 5, 0}), tlv(0x30, []byte{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1})
	name, key, serial := tlv(4, []byte("name")), tlv(4, []byte("key")), []byte{2, 1, 7}
	certID := tlv(0x30, sha1, name, key, serial)
	single := tlv(0x30, certID, []byte{0x80, 0}, produced)
	nonceID := []byte{6, 9, 0x2B, 6, 1, 5, 5, 7, 0x30, 1, 2}
	nonce := tlv(0xA1, tlv(0x30, tlv(0x30, nonceID, tlv(4, tlv(4, []byte("nonce"))))))
	sound := [][]byte{responder, produced, tlv(0x30, single), nonce}
	with := func(place int, parts ...[]byte) []byte {
		return tlv(0x30, slices.Replace(slices.Clone(sound), place, place+1, parts...)...)
	}
	answer := func(parts ...[]byte) []byte {
		return with(2, tlv(0x30, tlv(0x30, tlv(0x30, parts...), []byte{0x80, 0}, produced)))
	}
	for what, tt := range map[string]struct {
		tbs   []byte
		nonce string
		err   string
	}{
		"sound":                   {tlv(0x30, sound...), "nonce", ""},
		"with a version":          {tlv(0x30, append([][]byte{tlv(0xA0, []byte{2, 1, 0})}, sound...)...), "nonce", ""},
		"no extensions":           {with(3), "", ""},
		"another extension":       {with(3, tlv(0xA1, tlv(0x30, tlv(0x30, []byte{6, 2, 0x2A, 3}, tlv(4))))), "", ""},
		"a critical one":          {with(3, tlv(0xA1, tlv(0x30, tlv(0x30, []byte{6, 2, 0x2A, 3, 1, 1, 0xFF}, tlv(4))))), "", "critical"},
		"a nonce without wrapper": {with(3, tlv(0xA1, tlv(0x30, tlv(0x30, nonceID, tlv(4, []byte("nonce")))))), "", "it is no nonce"},
		"two nonces in one":       {with(3, tlv(0xA1, tlv(0x30, tlv(0x30, nonceID, tlv(4, tlv(4), tlv(4)))))), "", "it is no nonce"},
		"not a sequence":          {tlv(0x31, sound...), "", "no ResponseData"},
		"something after it":      {append(tlv(0x30, sound...), 5, 0), "", "no ResponseData"},
		"nothing":                 {tlv(0x30), "", "no ResponseData"},
		"no responder":            {tlv(0x30, sound[1:]...), "", "no ResponseData"},
		"no time":                 {with(1), "", "no ResponseData"},
		"a UTCTime":               {with(1, utcTime), "", "no ResponseData"},
		"no answers":              {with(2), "", "no ResponseData"},
		"an empty list":           {with(2, tlv(0x30)), "", "no ResponseData"},
		"two answers":             {with(2, tlv(0x30, single, single)), "", "no ResponseData"},
		"something at its end":    {with(3, nonce, []byte{5, 0}), "", "no ResponseData"},
		"SHA-256":                 {answer(sha256, name, key, serial), "", "no ResponseData"},
		"no hash":                 {answer(tlv(0x30), name, key, serial), "", "no ResponseData"},
		"no algorithm":            {answer(name, key, serial), "", "no ResponseData"},
		"no name":                 {answer(sha1, key, serial), "", "no ResponseData"},
		"no key":                  {answer(sha1, name, serial), "", "no ResponseData"},
		"no serial":               {answer(sha1, name, key), "", "no ResponseData"},
		"two serials":             {answer(sha1, name, key, serial, serial), "", "no ResponseData"},
		"bad extensions":          {with(3, tlv(0xA1, tlv(0x31))), "", "its extensions are unreadable"},
	} {
		id, nonce, err := readResponseData(tt.tbs)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", what, err, tt.err)
			}
		} else if err != nil || string(nonce) != tt.nonce || string(id.name) != "name" || string(id.key) != "key" || !bytes.Equal(id.serial, []byte{7}) {
			t.Errorf("%s: %q, nonce %q, %v", what, id, nonce, err)
		}
	}
}
