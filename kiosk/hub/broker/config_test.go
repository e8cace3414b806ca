package broker_test

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/hub/broker"
)

func TestBadConfigurations(t *testing.T) {
	dir := t.TempDir()
	writeKeys(t, dir, signKey("k1"), openKey("e1"))
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "s", 0o600)
	write("empty", " \n", 0o600)
	write("open", "s", 0o644)
	write("text", "no keys", 0o600)
	private := signKey("p")
	public := private.Public()
	only := t.TempDir()
	for name, row := range map[string]struct {
		words  string
		change func(c *broker.Config)
	}{
		"environment":               {`write "sandbox" or "production"`, func(c *broker.Config) { c.Environment = "test" }},
		"preset":                    {"write one of buypass, generic, ingroupe, signicat, signicat-rest", func(c *broker.Config) { c.Preset = "bankid" }},
		"client_id":                 {"client_id is missing", func(c *broker.Config) { c.ClientID = "" }},
		"issuer":                    {"not an https URL", func(c *broker.Config) { c.Issuer = "http://broker.example" }},
		"issuer on this machine":    {"not an https URL", func(c *broker.Config) { c.Environment, c.Issuer = broker.Production, "http://127.0.0.1:1" }},
		"issuer with a password":    {"not an https URL", func(c *broker.Config) { c.Issuer = "https://a:b@broker.example" }},
		"secret with buypass":       {"write one of [private_key_jwt]", func(c *broker.Config) { c.ClientAuth = broker.SecretBasic }},
		"no keys":                   {"keys is missing", func(c *broker.Config) { c.KeysFile = "" }},
		"keys and secret":           {"exclude each other", func(c *broker.Config) { c.SecretFile = "secret" }},
		"no secret":                 {"secret is missing", func(c *broker.Config) { c.Preset, c.ClientAuth = "signicat", broker.SecretPost }},
		"empty secret":              {"is empty", func(c *broker.Config) { c.Preset, c.ClientAuth, c.SecretFile = "ingroupe", broker.SecretPost, "empty" }},
		"readable secret":           {"chmod 600", func(c *broker.Config) { c.Preset, c.ClientAuth, c.SecretFile = "ingroupe", broker.SecretPost, "open" }},
		"keys file missing":         {"no such file", func(c *broker.Config) { c.KeysFile = "none" }},
		"keys file is a text":       {"does not hold a JWK set", func(c *broker.Config) { c.KeysFile = "text" }},
		"public keys":               {"is not a private key", func(c *broker.Config) { c.KeysFile = writeKeys(t, only, public) }},
		"no key that signs":         {"no key that signs", func(c *broker.Config) { c.KeysFile = writeKeys(t, t.TempDir(), openKey("e")) }},
		"no key that opens":         {`no key with "use": "enc"`, func(c *broker.Config) { c.Encrypted, c.KeysFile = true, writeKeys(t, t.TempDir(), signKey("k")) }},
		"key without kid":           {"has no kid", func(c *broker.Config) { c.KeysFile = writeKeys(t, t.TempDir(), signKey("")) }},
		"scope nin":                 {"national identity number", func(c *broker.Config) { c.Scopes = []string{"openid", "nin"} }},
		"scope bpnnin":              {"national identity number", func(c *broker.Config) { c.Scopes = []string{"openid", "bpnnin"} }},
		"scope ssn":                 {"national identity number", func(c *broker.Config) { c.Scopes = []string{"openid", "ssn"} }},
		"claim nin":                 {"national identity number", func(c *broker.Config) { c.SubjectClaim = "norwegian-nin" }},
		"no openid":                 {`lacks "openid"`, func(c *broker.Config) { c.Scopes = []string{"bpid"} }},
		"bp_sub":                    {"may change for the same person", func(c *broker.Config) { c.SubjectClaim = "bp_sub" }},
		"sub with buypass":          {"may change for the same person", func(c *broker.Config) { c.SubjectClaim = "sub" }},
		"no claim":                  {"subject_claim is missing", func(c *broker.Config) { c.Preset = "signicat" }},
		"form":                      {`write "buypass" or "plain"`, func(c *broker.Config) { c.SubjectForm = "hash" }},
		"amr_values without a name": {"has no parameter", func(c *broker.Config) { c.Preset, c.AMRValues = "ingroupe", []string{"sc"} }},
		"hint without a name":       {"has no parameter", func(c *broker.Config) { c.Preset, c.Hint = "ingroupe", "x" }},
		"loa of OpenID":             {"are for preset", func(c *broker.Config) { c.LOA = "high" }},
		"loa": {"write one of", func(c *broker.Config) {
			c.Preset, c.SecretFile, c.KeysFile, c.LOA, c.SubjectClaim = "signicat-rest", "secret", "", "highest", "idpId"
		}},
		"encrypted REST": {"has no encrypted", func(c *broker.Config) {
			c.Preset, c.SecretFile, c.Encrypted, c.SubjectClaim = "signicat-rest", "secret", true, "idpId"
		}},
		"attribute nin": {"national identity number", func(c *broker.Config) {
			c.Preset, c.SecretFile, c.KeysFile, c.Attributes, c.SubjectClaim = "signicat-rest", "secret", "", []string{"nin"}, "idpId"
		}},
		"encrypted without a key file": {"need keys", func(c *broker.Config) {
			c.Preset, c.ClientAuth, c.SecretFile, c.KeysFile, c.Encrypted = "ingroupe", broker.SecretPost, "secret", "", true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := broker.Config{Name: "test", Environment: broker.Sandbox, Preset: "buypass", Issuer: "https://broker.example", ClientID: "c", KeysFile: "keys.jwks"}
			row.change(&c)
			_, err := broker.New(c, dir, broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
			if err == nil || !strings.Contains(err.Error(), row.words) || !strings.HasPrefix(err.Error(), "broker test: ") {
				t.Errorf("got %v, want … %s", err, row.words)
			}
		})
	}
}
