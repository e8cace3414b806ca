package smartkort

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
)

func TestPINBlock(t *testing.T) {
	for _, c := range []struct {
		name string
		pin  PIN
		in   string
		want []byte // nil: ErrPINForm
	}{
		{"ASCII, FF", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 8, StoredLength: 8, Pad: 0xFF, NeedsPadding: true}, "1234", []byte("1234\xFF\xFF\xFF\xFF")},
		{"UTF-8, 16 bytes of 00", PIN{Encoding: UTF8, MinLength: 4, MaxLength: 16, StoredLength: 16, NeedsPadding: true}, "123456", []byte("123456\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
		{"not padded", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 8, StoredLength: 8}, "12345", []byte("12345")},
		{"BCD, even", PIN{Encoding: BCD, MinLength: 4, MaxLength: 12, StoredLength: 6, Pad: 0xFF, NeedsPadding: true}, "1234", []byte("\x12\x34\xFF\xFF\xFF\xFF")},
		{"BCD, odd", PIN{Encoding: BCD, MinLength: 4, MaxLength: 12, StoredLength: 6, Pad: 0xFF, NeedsPadding: true}, "12345", []byte("\x12\x34\x5F\xFF\xFF\xFF")},
		{"as long as it may be", PIN{Encoding: ASCII, MinLength: 8, MaxLength: 8, StoredLength: 8, NeedsPadding: true}, "12345678", []byte("12345678")},
		{"too short", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 8, StoredLength: 8}, "123", nil},
		{"too long", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 4, StoredLength: 8}, "12345", nil},
		{"empty, where the card names no least length", PIN{Encoding: ASCII, MaxLength: 8, StoredLength: 8}, "", nil},
		{"no stored length", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 8}, "12345", []byte("12345")},
		{"a letter", PIN{Encoding: ASCII, MinLength: 4, MaxLength: 8, StoredLength: 8}, "12A4", nil},
	} {
		got, err := c.pin.block([]byte(c.in))
		if c.want == nil {
			if !errors.Is(err, ErrPINForm) {
				t.Errorf("%s: %X, %v", c.name, got, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %X, %v, want %X", c.name, got, err, c.want)
		}
		if cap(got) > max(c.pin.StoredLength, len(c.in)) {
			t.Errorf("%s: grown to %d bytes, which leaves a copy behind", c.name, cap(got))
		}
	}
}

// TestPINForKey: the driver uses the key's own PIN, otherwise the holder's only PIN,
// never a PUK or the officer's PIN. If the card describes none, it uses the profile's.
func TestPINForKey(t *testing.T) {
	one, two := PIN{ID: []byte{1}, Label: "one"}, PIN{ID: []byte{2}, Label: "two"}
	puk, officer := PIN{ID: []byte{3}, Unblocking: true}, PIN{ID: []byte{4}, Officer: true}
	for _, c := range []struct {
		name    string
		profile string // ATR
		pins    []PIN
		authID  []byte
		want    string // label, "" for ErrNoPIN
	}{
		{"named", "", []PIN{one, two}, []byte{2}, "two"},
		{"the only one", "", []PIN{puk, one, officer}, nil, "one"},
		{"two to choose from", "", []PIN{one, two}, nil, ""},
		{"none described", "", nil, []byte{1}, ""},
		{"none described by a Smartkort", "\x3B\x9F\x96\x40\x0A\x80\x31\xE0\x6B\x04\x20\x05\x02\x10\x55\x55\x55\x55\x55\x55", nil, nil, "PIN"},
		{"only a PUK", "", []PIN{puk}, nil, ""},
	} {
		card := Card{pins: c.pins, pinsRead: true, profile: BuiltinProfiles.For([]byte(c.profile), nil)}
		got, err := card.pinFor(t.Context(), Key{AuthID: c.authID})
		if got.Label != c.want || (c.want == "") != errors.Is(err, ErrNoPIN) {
			t.Errorf("%s: %q, %v", c.name, got.Label, err)
		}
	}
}

// TestProfileFor covers the two forms of the Smartkort's ATR, and others.
func TestProfileFor(t *testing.T) {
	for atr, want := range map[string]string{
		"\x3B\x6F\x00\x00\x80\x31\xE0\x6B\x04\x21\x05\x02\x7C\x55\x55\x55\x55\x55\x55":     "buypass",
		"\x3B\x9F\x96\x40\x0A\x80\x31\xE0\x6B\x04\x20\x05\x02\x10\x55\x55\x55\x55\x55\x55": "buypass",
		"\x3B\x9F\x96\x40\x0A\x80\x31\xE0\x6B\x04\x30\x05\x02\x10\x55\x55\x55\x55\x55\x55": "iso7816-15",
		"\x3B\x6F\x00\x00\x80\x31\xE0\x6B\x04\x21\x05\x02\x7C\x55\x55\x55\x55\x55":         "iso7816-15",
		"": "iso7816-15",
	} {
		if got := BuiltinProfiles.For([]byte(atr), nil).Name; got != want {
			t.Errorf("%X: %s, want %s", atr, got, want)
		}
	}
}

// TestRecipes: the driver uses the recipes of the profile, otherwise those that the
// card lists for the key, otherwise the usual ones.
func TestRecipes(t *testing.T) {
	info := TokenInfo{algorithms: []algorithm{
		{reference: 1, mechanism: rsaX509, signs: true, card: 0x11},
		{reference: 2, mechanism: rsaPKCS, card: 0x12}, // deciphers only
		{reference: 3, mechanism: rsaPKCS, signs: true, card: 0x13},
		{reference: 4, mechanism: 0x40, signs: true, card: 0x14},
		{reference: 5, mechanism: rsaPSS, signs: true, card: -1},
		{reference: 6, mechanism: 0x1045, signs: true, card: 0x16},
	}}
	own := byte(0x77)
	pkcs := func(c *Card, k Key) ([]recipe, error) { return c.recipes(pkcsScheme(crypto.SHA256), k, crypto.SHA256) }
	pss := func(c *Card, k Key) ([]recipe, error) { return c.recipes(pssScheme(crypto.SHA256), k, crypto.SHA256) }
	ec := func(c *Card, k Key) ([]recipe, error) { return c.recipes(ecScheme(crypto.SHA384), k, crypto.SHA384) }
	for _, c := range []struct {
		name string
		how  func(*Card, Key) ([]recipe, error)
		key  Key
		sign []Signing
		want string // recipe and data of MSE SET, "" for ErrUnsupportedKey
	}{
		{"nothing said", pkcs, Key{Reference: 0x81}, nil, "digest-info \x84\x01\x81"},
		{"the algorithm that signs a DigestInfo", pkcs, Key{Reference: 1, algorithms: []int{1, 2, 3, 4}}, nil, "digest-info \x80\x01\x13\x84\x01\x01"},
		{"over the hash", pkcs, Key{Reference: 1, algorithms: []int{1, 2, 4}}, nil, "hash \x80\x01\x14\x84\x01\x01"},
		{"over a block", pkcs, Key{Reference: 1, algorithms: []int{1, 2}}, nil, "block \x80\x01\x11\x84\x01\x01"},
		{"none that does", pkcs, Key{Reference: 1, algorithms: []int{5}}, nil, ""},
		{"a key that is a file", pkcs, Key{Reference: -1, Path: Path{File: []byte{0x3F, 0x00, 0x40, 0x01}}}, nil, "digest-info \x81\x02\x40\x01"},
		{"by the profile", pkcs, Key{Reference: 1, algorithms: []int{3}}, []Signing{{Key: "rsa", Recipe: recipeInternal, Algorithm: &own}}, "internal-authenticate \x80\x01\x77\x84\x01\x01"},
		{"PSS by the card", pss, Key{Reference: 1, algorithms: []int{1, 5}}, nil, "hash \x84\x01\x01"},
		{"PSS by us", pss, Key{Reference: 1, algorithms: []int{3, 1}}, nil, "block \x80\x01\x11\x84\x01\x01"},
		{"PSS, nothing said", pss, Key{Reference: 1}, nil, "block \x84\x01\x01"},
		{"PSS against the profile", pss, Key{Reference: 1, algorithms: []int{5}}, []Signing{{Key: "rsa", Recipe: recipeHash}}, ""},
		{"ECDSA of one hash", ec, Key{Reference: 1, algorithms: []int{6}}, nil, "hash \x80\x01\x16\x84\x01\x01"},
		{"ECDSA, nothing said", ec, Key{Reference: 1}, nil, "hash \x84\x01\x01"},
	} {
		card := Card{token: info, profile: &Profile{Sign: c.sign}}
		all, err := c.how(&card, c.key)
		if len(all) > maxRecipes {
			t.Errorf("%s: %d recipes", c.name, len(all))
		}
		got := ""
		if len(all) > 0 {
			got = all[0].Form + " " + string(c.key.environment(all[0]))
		}
		if c.want == "" && !errors.Is(err, ErrUnsupportedKey) || c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}
