package broker_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/hub/broker"
)

// withToken makes configurations use keys of a token in this process. It returns the
// function that replaces them.
func withToken(t *testing.T, keys ...broker.TokenKey) (replace func(...broker.TokenKey)) {
	t.Helper()
	broker.RegisterPKCS11(func(p broker.PKCS11, pin func() ([]byte, error)) ([]broker.TokenKey, error) {
		typed, err := pin()
		if err != nil {
			return nil, err
		}
		if string(typed) != "1234" || p.Token != "hub" || p.Keys != "sandbox-" {
			return nil, errors.New("another token or PIN")
		}
		return keys, nil
	})
	t.Cleanup(func() { broker.RegisterPKCS11(nil) })
	return func(now ...broker.TokenKey) { keys = now }
}

func tokenConfig(t *testing.T, s *scene) {
	t.Helper()
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.config.KeysFile, s.config.PKCS11 = "", &broker.PKCS11{Module: "module.so", Token: "hub", PIN: pin, Keys: "sandbox-"}
}

// The keys of a token prove the hub to a broker, sign request objects, and are replaced
// without a restart.
func TestKeysInToken(t *testing.T) {
	a, b := merchantKey(t), merchantKey(t)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	replace := withToken(t, broker.TokenKey{Label: "sandbox-a", Signer: a})
	s := newScene(t)
	tokenConfig(t, s)
	s.config.RequestObject, s.provider.RequireRequestObject = true, true
	client := s.start()
	register := func() {
		t.Helper()
		path := filepath.Join(t.TempDir(), "public.jwks")
		if err := os.WriteFile(path, client.Credentials().PublicKeys(), 0o600); err != nil {
			t.Fatal(err)
		}
		s.register(path)
	}
	login := func(what string) {
		t.Helper()
		if p, err := s.run(); err != nil || p.Holder.ID != "UN:NO-9578-4050-900000001" {
			t.Errorf("%s: %v, %v", what, p.Holder, err)
		}
	}
	register()
	login("ES256")
	if strings.Contains(string(client.Credentials().PublicKeys()), `"d"`) {
		t.Error("the public keys have a private one")
	}

	replace(broker.TokenKey{Label: "sandbox-a", Signer: a}, broker.TokenKey{Label: "sandbox-b", Signer: b})
	if changed, err := client.Reload(); !changed || err != nil {
		t.Fatalf("%v, %v", changed, err)
	}
	register()
	login("two keys")
	replace(broker.TokenKey{Label: "sandbox-b", Signer: b})
	if changed, err := client.Reload(); !changed || err != nil {
		t.Fatalf("%v, %v", changed, err)
	}
	login("the second key, registered before")
	replace(broker.TokenKey{Label: "sandbox-c", Signer: r})
	if _, err := client.Reload(); err != nil {
		t.Fatal(err)
	}
	register()
	login("RS256")
	replace()
	if _, err := client.Reload(); err == nil || !strings.Contains(err.Error(), `no key whose label begins with "sandbox-"`) {
		t.Errorf("an empty token: %v", err)
	}
	login("the keys of before stay")
}

func TestBadTokens(t *testing.T) {
	if _, err := broker.New(broker.Config{}, "", outside()); err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	s := newScene(t)
	tokenConfig(t, s)
	if _, err := broker.New(s.config, "", outside()); err == nil || !strings.Contains(err.Error(), "built without PKCS #11") {
		t.Errorf("without PKCS #11: %v", err)
	}
	withToken(t, broker.TokenKey{Label: "sandbox-a", Signer: merchantKey(t)})
	for name, row := range map[string]struct {
		words  string
		change func(p *broker.PKCS11)
	}{
		"no module":     {"pkcs11.module is missing", func(p *broker.PKCS11) { p.Module = "" }},
		"no keys":       {"pkcs11.keys is missing", func(p *broker.PKCS11) { p.Keys = "" }},
		"no PIN file":   {"no such file", func(p *broker.PKCS11) { p.PIN += "x" }},
		"readable PIN":  {"chmod 600", func(p *broker.PKCS11) { _ = os.Chmod(p.PIN, 0o644) }},
		"another token": {"another token", func(p *broker.PKCS11) { p.Token = "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			tokenConfig(t, s)
			row.change(s.config.PKCS11)
			if _, err := broker.New(s.config, "", outside()); err == nil || !strings.Contains(err.Error(), row.words) {
				t.Errorf("got %v, want … %s", err, row.words)
			}
		})
	}
	s = newScene(t)
	tokenConfig(t, s)
	s.config.Encrypted = true
	if _, err := broker.New(s.config, "", outside()); err == nil || !strings.Contains(err.Error(), "need keys") {
		t.Errorf("encrypted: %v", err)
	}
}
