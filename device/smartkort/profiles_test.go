package smartkort_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/smartkort"
)

const profileHead = `name = "%NAME%"
about = "a card of the test"
[match]
atr = ["3B????????????????????????????????????", "3B??????????????????????????????????????", "3B??????????????????????????????"]
[verify]
classes = [0xA0, 0x00]
[change]
recipe = "change-reference-data"
classes = [0x00]
[unblock]
recipe = "%UNBLOCK%"
classes = [0x00]
`

const pinSection = "[pin]\nreference = 0x82\nencoding = \"ascii\"\nmin = 4\nmax = 4\nstored = 8\npad = 0xFF\n"

// withProfile returns a driver with one more profile: the standard's recipes for the
// Smartkort and similar cards, followed by more.
func withProfile(t testing.TB, more string) smartkort.Driver {
	return driverWith(t, strings.NewReplacer("%NAME%", "test", "%UNBLOCK%", "reset-retry-counter").Replace(profileHead)+more)
}

func withUnblock(t testing.TB, recipe string) smartkort.Driver {
	return driverWith(t, strings.NewReplacer("%NAME%", "test", "%UNBLOCK%", recipe).Replace(profileHead))
}

func driverWith(t testing.TB, profile string) smartkort.Driver {
	t.Helper()
	p, err := smartkort.LoadProfiles(folder(t, map[string]string{"test.toml": profile}))
	if err != nil {
		t.Fatal(err)
	}
	return smartkort.Driver{Profiles: p}
}

func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestLoadProfiles checks that a folder's profiles precede the built-in ones and
// replace those with the same name.
func TestLoadProfiles(t *testing.T) {
	buypass := smartkort.BuiltinProfiles.For([]byte("\x3B\x6F\x00\x00\x80\x31\xE0\x6B\x04\x21\x05\x02\x7C\x55\x55\x55\x55\x55\x55"), nil)
	if buypass.Name != "buypass" || len(buypass.NotPublic) == 0 || buypass.PIN.Reference != 0x82 {
		t.Fatalf("compiled in: %+v", buypass)
	}
	head := strings.NewReplacer("%NAME%", "buypass", "%UNBLOCK%", "verify-puk").Replace(profileHead)
	p, err := smartkort.LoadProfiles(folder(t, map[string]string{"b.toml": head, "note.txt": "no profile"}))
	if err != nil {
		t.Fatal(err)
	}
	atr := []byte("\x3B\x6F\x00\x00\x80\x31\xE0\x6B\x04\x21\x05\x02\x7C\x55\x55\x55\x55\x55\x55")
	if got := p.For(atr, nil); got.Name != "buypass" || got.Unblock.Recipe != "verify-puk" {
		t.Errorf("the folder's buypass: %+v", got)
	}
	if got := p.For([]byte{0x3B, 0x00}, nil); got.Name != "iso7816-15" {
		t.Errorf("for others: %s", got.Name)
	}
}

// TestProfileByTokenInfo: EF.TokenInfo decides between kinds of card that have the
// same answer to reset.
func TestProfileByTokenInfo(t *testing.T) {
	head := strings.NewReplacer("%NAME%", "acme", "%UNBLOCK%", "unknown").Replace(profileHead)
	head = strings.Replace(head, "[verify]", "manufacturer = \"Acme\"\nlabel = \"ID\"\n[verify]", 1)
	head = strings.Replace(head, "\"unknown\"\nclasses = [0x00]", "\"unknown\"", 1)
	p, err := smartkort.LoadProfiles(folder(t, map[string]string{"acme.toml": head}))
	if err != nil {
		t.Fatal(err)
	}
	atr := []byte("\x3B\x6F\x00\x00\x80\x31\xE0\x6B\x04\x21\x05\x02\x7C\x55\x55\x55\x55\x55\x55")
	for _, c := range []struct {
		token *smartkort.TokenInfo
		want  string
	}{
		{nil, "buypass"},
		{&smartkort.TokenInfo{Manufacturer: "Acme Oy", Label: "My ID card"}, "acme"},
		{&smartkort.TokenInfo{Manufacturer: "Acme Oy", Label: "Bonus"}, "buypass"},
	} {
		if got := p.For(atr, c.token); got.Name != c.want {
			t.Errorf("%+v: %s, want %s", c.token, got.Name, c.want)
		}
	}
}

// TestBadProfiles checks that an invalid profile is refused with an error that names
// the field.
func TestBadProfiles(t *testing.T) {
	good := strings.NewReplacer("%NAME%", "test", "%UNBLOCK%", "reset-retry-counter").Replace(profileHead)
	if _, err := smartkort.ParseProfile([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "about =", "abuot = 1\nabout =", "unknown key"},
		{"no name", `name = "test"`, "", "name or about is missing"},
		{"page without https", "[match]", "page = \"http://issuer.no\"\n[match]", "is not an https address of at most 24 letters"},
		{"page too long", "[match]", "page = \"https://www.issuer.example\"\n[match]", "is not an https address of at most 24 letters"},
		{"ATR in small letters", `"3B??`, `"3b??`, "match.atr"},
		{"ATR of half a byte", `"3B??`, `"3B?`, "match.atr"},
		{"no classes", "classes = [0xA0, 0x00]", "classes = []", "verify.classes"},
		{"class of two bytes", "[0xA0, 0x00]", "[0xA000]", "cannot read profile"},
		{"unknown recipe", "change-reference-data", "guess", "change.recipe"},
		{"recipe of another command", "change-reference-data", "verify-puk", "change.recipe"},
		{"classes for nothing", `"change-reference-data"`, `"unknown"`, "change.classes"},
		{"unknown unblock recipe", "reset-retry-counter", "hope", "unblock.recipe"},
		{"AID too short", "[verify]", "[application]\napplets = [\"A000\"]\n[verify]", "application.applets"},
		{"PIN that does not fit", "[verify]", "[pin]\nencoding = \"ascii\"\nmin = 4\nmax = 12\nstored = 8\n[verify]", "12 digits do not fit"},
		{"invalid AID", "[verify]", "[application]\naid = \"A0\"\n[verify]", "application.aid"},
		{"invalid path", "[verify]", "[application]\npath = \"5015\"\n[verify]", "application.path"},
		{"AID and path", "[verify]", "[application]\naid = \"A000000063\"\npath = \"3F005015\"\n[verify]", "only one is allowed"},
		{"key of another kind", "[verify]", pinSection + "[[key]]\nkind = \"dsa\"\n[verify]", "key 1: kind"},
		{"key for nothing", "[verify]", pinSection + "[[key]]\nkind = \"rsa\"\n[verify]", "key 1: use"},
		{"key without a certificate", "[verify]", pinSection + "[[key]]\nkind = \"rsa\"\nuse = \"signature\"\n[verify]", "key 1: certificate"},
		{"key without a PIN", "[verify]", "[[key]]\nkind = \"rsa\"\nuse = \"signature\"\ncertificate = \"3F004501\"\n[verify]", "pin is missing"},
		{"PUK that does not fit", "[verify]", "[puk]\nencoding = \"ascii\"\nmin = 8\nmax = 12\nstored = 8\n[verify]", "puk: 8 to 12"},
		{"PIN in EBCDIC", "[verify]", "[pin]\nencoding = \"ebcdic\"\nmin = 4\nmax = 4\nstored = 8\n[verify]", "pin.encoding"},
		{"signing recipe", "[verify]", "[[sign]]\nkey = \"rsa\"\nrecipe = \"magic\"\n[verify]", "sign 1: recipe"},
		{"block for a curve", "[verify]", "[[sign]]\nkey = \"ec\"\nrecipe = \"block\"\n[verify]", "sign 1: recipe"},
		{"unknown key type", "[verify]", "[[sign]]\nkey = \"dsa\"\nrecipe = \"hash\"\n[verify]", "sign 1: key"},
		{"invalid status", "[verify]", "[pin_status]\n\"63c0\" = \"blocked\"\n[verify]", "pin_status"},
		{"unknown meaning", "[verify]", "[pin_status]\n\"6984\" = \"tired\"\n[verify]", "pin_status.6984"},
		{"not TOML", "[verify]", "[verify", "cannot read profile"},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s: nothing to replace", c.name)
		}
		_, err := smartkort.ParseProfile([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for name, files := range map[string]map[string]string{
		"empty folder": {}, "the same name twice": {"a.toml": good, "b.toml": good}, "one bad file": {"a.toml": good, "b.toml": "x"},
	} {
		if _, err := smartkort.LoadProfiles(folder(t, files)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := smartkort.LoadProfiles(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no folder: accepted")
	}
}
