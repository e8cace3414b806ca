package hub

import (
	"bytes"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/trust"
)

// tree lists the files under a folder.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var rel string
			rel, err = filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestBundles(t *testing.T) {
	dir := newFolder(t)
	kiosk, err := AddKiosk(dir, "k1")
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := AddConsumer(dir, "office")
	if err != nil {
		t.Fatal(err)
	}
	for bundle, want := range map[string][]string{
		kiosk: {"hub-ca.pem", "hub-seal.jwk", "hub-sign.jwk", "kiosk.key", "kiosk.pem", "kioskd.toml",
			"trust/person-ca.crl", "trust/person-ca.pem", "trust/root.pem", "trust/trust.toml"},
		consumer: {"consumer.key", "consumer.pem", "hub-ca.pem"},
	} {
		if got := tree(t, bundle); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", bundle, got, want)
		}
	}
	if _, err := trust.Load(filepath.Join(kiosk, "trust", "trust.toml")); err != nil {
		t.Error(err)
	}
	seal := readJWK(t, filepath.Join(kiosk, "hub-seal.jwk"))
	if id, err := event.KeyID(seal.Key); !seal.IsPublic() || err != nil || seal.KeyID != id {
		t.Errorf("the sealing key is %+v, %v", seal, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// kioskd can read what AddKiosk writes. The bundle has exactly these keys.
func TestKioskConfiguration(t *testing.T) {
	bundle, err := AddKiosk(newFolder(t), "k1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(bundle, "kioskd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	type hub struct{ URL, CA, Certificate, Key, Seal, Sign string }
	type config struct {
		ID, State, Language string
		Hub                 hub
		Trust               struct{ Domains, Offline string }
		Reader              struct{ Match string }
		Panel               struct{ Listen string }
	}
	var got config
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := config{ID: "k1", State: "state", Language: "nb",
		Hub: hub{origin, "hub-ca.pem", "kiosk.pem", "kiosk.key", "hub-seal.jwk", "hub-sign.jwk"}}
	want.Trust.Domains, want.Trust.Offline, want.Panel.Listen = "trust/trust.toml", "trusted", "127.0.0.1:8080"
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCertificates(t *testing.T) {
	dir := newFolder(t)
	bundle, err := AddKiosk(dir, "k1")
	if err != nil {
		t.Fatal(err)
	}
	ca, _, err := readCertificate(filepath.Join(dir, caFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	verify := func(path string, usage x509.ExtKeyUsage, host string, at time.Time) error {
		cert, _, err := readCertificate(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}, DNSName: host, CurrentTime: at})
		return err
	}
	server, kiosk := filepath.Join(dir, serverFile), filepath.Join(bundle, "kiosk.pem")
	now := time.Now()
	for _, tt := range []struct {
		what  string
		err   error
		wants string
	}{
		{"the hub as a server", verify(server, x509.ExtKeyUsageServerAuth, "127.0.0.1", now), ""},
		{"the hub by another name", verify(server, x509.ExtKeyUsageServerAuth, "hub.example", now), "not valid for any names, but wanted to match hub.example"},
		{"the hub as a client", verify(server, x509.ExtKeyUsageClientAuth, "", now), "incompatible key usage"},
		{"the kiosk as a client", verify(kiosk, x509.ExtKeyUsageClientAuth, "", now), ""},
		{"the kiosk as a server", verify(kiosk, x509.ExtKeyUsageServerAuth, "", now), "incompatible key usage"},
		{"the kiosk whose clock is 23 hours slow", verify(kiosk, x509.ExtKeyUsageClientAuth, "", now.Add(-23*time.Hour)), ""},
		{"the kiosk in six years", verify(kiosk, x509.ExtKeyUsageClientAuth, "", now.AddDate(6, 0, 0)), "expired"},
	} {
		if tt.wants == "" && tt.err != nil || tt.wants != "" && (tt.err == nil || !strings.Contains(tt.err.Error(), tt.wants)) {
			t.Errorf("%s: got %v, want %q", tt.what, tt.err, tt.wants)
		}
	}
	if !ca.IsCA || ca.MaxPathLen != 0 || !ca.MaxPathLenZero {
		t.Errorf("the CA may issue CAs: %d %v", ca.MaxPathLen, ca.MaxPathLenZero)
	}
}

// The hub's certificate contains every name under which clients call the hub.
func TestServerHosts(t *testing.T) {
	for _, tt := range []struct {
		listen, url string
		want        []string
	}{
		{"127.0.0.1:8443", "https://127.0.0.1:8443", []string{"127.0.0.1"}},
		{"10.0.0.5:8443", "https://hub.example", []string{"10.0.0.5", "hub.example"}},
		{":8443", "https://hub.example", []string{"hub.example"}},
		{"0.0.0.0:8443", "https://hub.example", []string{"hub.example"}},
		{"[::]:8443", "https://[::1]:8443", []string{"::1"}},
	} {
		got, err := serverHosts(InitOptions{Listen: tt.listen, URL: tt.url})
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s: got %v, %v; want %v", tt.listen, tt.url, got, err, tt.want)
		}
	}
}

// The trust.toml that the template proposes is valid once the CA files are in the folder.
func TestTrustTemplate(t *testing.T) {
	dir := t.TempDir()
	if err := Init(filepath.Join(dir, "hub"), InitOptions{Listen: "127.0.0.1:8443", URL: origin}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hub", "trust", "trust.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, domain, ok := strings.Cut(string(text), "#[[domain]]")
	if !ok {
		t.Fatal("the template proposes no domain")
	}
	domain = strings.ReplaceAll("#[[domain]]"+domain, "\n#", "\n")[1:]
	if err := os.WriteFile(path, []byte(domain), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Load(path); err == nil || !strings.Contains(err.Error(), "BPCl3RootCaG2HT.cer") {
		t.Errorf("without files: got %v", err)
	}
	pki := cards(t)
	for name, data := range map[string][]byte{
		"BPCl3RootCaG2HT.cer": pki.Root.Raw, "BPCl3CaG2HTPS.cer": pki.PersonCA.Raw,
	} {
		if err := os.WriteFile(filepath.Join(dir, "hub", "trust", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(filepath.Join(dir, "hub")); err != nil {
		t.Errorf("with files: %v", err)
	}
}

func TestCopyTrustStaysInItsFolder(t *testing.T) {
	from := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	for _, name := range []string{"../" + filepath.Base(secret), secret} {
		text := "[[domain]]\nanchors = [" + `"` + name + `"` + "]\n"
		if err := os.WriteFile(filepath.Join(from, "trust.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := copyTrust(t.TempDir(), from); err == nil || !strings.Contains(err.Error(), "outside its folder") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct {
		file, text, want string
	}{
		{settingsFile, "listen = \"a:1\"\nurl = \"https://a:1/\"", "not of the form https://host:port"},
		{settingsFile, "listen = \"a:1\"\nurl = \"https://a:1\"\nport = 1", "unknown key"},
		{settingsFile, "url = \"https://a:1\"", "listen is missing"},
		{settingsFile, "listen = 8443", "column "},
		{caFile, "", "ca.pem is not PEM"},
		{serverKeyFile, "", "cannot read the hub's certificate"},
		{sealFile, "{}", "no JWK"},
		{trustDir + "/root.pem", "", "root.pem"},
	} {
		dir := newFolder(t)
		if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %q: got %v, want %q", tt.file, tt.text, err, tt.want)
		}
	}
	dir := newFolder(t)
	public, err := os.ReadFile(filepath.Join(mustAdd(t, dir), bundleSealFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, sealFile), public, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "is not a private key") {
		t.Errorf("a public sealing key: got %v", err)
	}
}

func mustAdd(t *testing.T, dir string) (bundle string) {
	t.Helper()
	bundle, err := AddKiosk(dir, "k1")
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// Every text is either a valid configuration or an error, and never a panic.
func FuzzSettings(f *testing.F) {
	f.Add([]byte("listen = \"127.0.0.1:8443\"\nurl = \"https://127.0.0.1:8443\"\n"))
	f.Add([]byte("listen = \"\"\n[url]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseSettings(text); err == nil && (s.Listen == "" || checkURL(s.URL) != nil) {
			t.Errorf("got %+v", s)
		}
	})
}
