package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `id = "k1"
state = "state"
[hub]
url = "https://hub.example:8443"
ca = "hub-ca.pem"
certificate = "kiosk.pem"
key = "/etc/keys/kiosk.key"
seal = "hub-seal.jwk"
sign = "hub-sign.jwk"
[trust]
domains = "trust/trust.toml"
offline = "trusted"
[panel]
listen = "127.0.0.1:8080"
`

func load(t *testing.T, text string) (string, *Config, error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "kioskd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	return dir, c, err
}

func TestLoad(t *testing.T) {
	dir, c, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if c.Language != "nb" {
		t.Errorf("the default language is %q", c.Language)
	}
	if c.Hub.TPM != "/dev/tpmrm0" {
		t.Errorf("the default TPM is %q", c.Hub.TPM)
	}
	if want := filepath.Join(dir, "trust/trust.toml"); c.Trust.Domains != want {
		t.Errorf("a relative path is %s, want %s", c.Trust.Domains, want)
	}
	if c.Reader.Profiles != "" {
		t.Errorf("reader.profiles is empty in the file, but Load returns %s", c.Reader.Profiles)
	}
	if dir, c, err := load(t, good+"[reader]\nprofiles = \"cards\"\n"); err != nil || c.Reader.Profiles != filepath.Join(dir, "cards") {
		t.Errorf("card profiles in %s, %v", c.Reader.Profiles, err)
	}
	if _, c, err := load(t, good+"[reader]\npinpad = \"off\"\n"); err != nil || c.Reader.PINPad != "off" {
		t.Errorf("reader.pinpad off: %v", err)
	}
	if _, _, err := load(t, strings.Replace(good, "[panel]\n", "[panel]\nnames = \"none\"\n", 1)); err == nil || !strings.Contains(err.Error(), `panel.names is "none"`) {
		t.Errorf("an unknown panel.names: %v", err)
	}
	if _, c, err := load(t, good+"[scproxy]\nenabled = true\nrecord = \"login.txt\"\n"); err != nil || !filepath.IsAbs(c.SCProxy.Record) {
		t.Errorf("scproxy.record: %v", err)
	}
	if _, _, err := load(t, good+"[scproxy]\nrecord = \"login.txt\"\n"); err == nil || !strings.Contains(err.Error(), "scproxy.record is set, but scproxy.enabled is not true") {
		t.Errorf("scproxy.record without scproxy: %v", err)
	}
	if _, _, err := load(t, good+"[reader]\npinpad = \"on\"\n"); err == nil || !strings.Contains(err.Error(), "reader.pinpad") {
		t.Errorf("an unknown reader.pinpad: %v", err)
	}
	if c.Reader.PKCS11 != "" {
		t.Errorf("reader.pkcs11 is empty in the file, but Load returns %s", c.Reader.PKCS11)
	}
	if _, c, err := load(t, good+"[reader]\npkcs11 = \"/usr/lib/module.so\"\n"); err != nil || c.Reader.PKCS11 != "/usr/lib/module.so" {
		t.Errorf("module %s, %v", c.Reader.PKCS11, err)
	}
	if dir, c, err := load(t, strings.Replace(good, `listen = "127.0.0.1:8080"`, `board = "board.toml"`, 1)); err != nil || c.Panel.Board != filepath.Join(dir, "board.toml") || c.Panel.Listen != "" {
		t.Errorf("a panel of parts: %+v, %v", c, err)
	}
	if c.Hub.Key != "/etc/keys/kiosk.key" {
		t.Errorf("an absolute path is %s", c.Hub.Key)
	}
}

// TestLoadRefuses checks that every wrong configuration leads to an error that says
// what is wrong and where.
func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`state = `, `stat = `, `line 2: unknown key "stat"`},
		{`[trust]`, "[trust]\nofline = \"never\"", `line 11: unknown key "trust.ofline"`},
		{`id = "k1"`, `id = 7`, "line 1, column"},
		{`id = "k1"`, `id = "k1`, "line 1, column"},
		{`id = "k1"`, ``, "id is missing"},
		{`id = "k1"`, `id = "K1 upstairs"`, `id "K1 upstairs" is no kiosk id`},
		{`ca = "hub-ca.pem"`, ``, "hub.ca is missing"},
		{`offline = "trusted"`, ``, "trust.offline is missing"},
		{`"trusted"`, `"always"`, `trust.offline is "always", not one of ["never" "trusted"]`},
		{`https://hub`, `http://hub`, "hub.url"},
		{`8443"`, `8443/"`, "without a slash at the end"},
		{`127.0.0.1:8080`, `0.0.0.0:8080`, "not a loopback address"},
		{`127.0.0.1:8080`, `kiosk.example:8080`, "not a loopback address"},
		{`127.0.0.1:8080`, `8080`, "not host:port"},
		{`listen = "127.0.0.1:8080"`, ``, "[panel] is empty: write board"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if text == good {
			t.Fatalf("%q is not in the configuration", tt.old)
		}
		if _, _, err := load(t, text); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "kioskd.toml") {
			t.Errorf("%s → %s: %v, want %s", tt.old, tt.new, err, tt.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("no file: %v", err)
	}
}

// kiosk.toml of the boot partition, of which the first start keeps a copy, takes precedence.
func TestLoadWithSettings(t *testing.T) {
	dir, _, err := load(t, good+"[reader]\nmatch = \"Gemalto\"\n")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("kiosk.toml", "hub = 'https://other.example'\nlanguage = 'se'\nreader = 'ACR39'\nboard = 'pi4-usbpad-oled'\n")
	c, err := Load(filepath.Join(dir, "kioskd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Language != "se" || c.Reader.Match != "ACR39" || c.Panel.Board != "/usr/share/smartkiosk/boards/pi4-usbpad-oled.toml" {
		t.Errorf("%+v", c)
	}
	if c.Hub.URL != "https://hub.example:8443" {
		t.Errorf("the hub's URL is %s, but only the hub may change it", c.Hub.URL)
	}
	write("kiosk.toml", "hub = 'https://other.example'\nboard = 'own.toml'\n")
	write("own.toml", "")
	if c, err = Load(filepath.Join(dir, "kioskd.toml")); err != nil || c.Panel.Board != filepath.Join(dir, "own.toml") || c.Language != "nb" {
		t.Errorf("%+v, %v", c, err)
	}
	write("kiosk.toml", "bord = 'x'\n")
	if _, err := Load(filepath.Join(dir, "kioskd.toml")); err == nil || !strings.Contains(err.Error(), `: kiosk.toml: line 1: unknown key "bord"`) {
		t.Errorf("a wrong kiosk.toml: %v", err)
	}
}
