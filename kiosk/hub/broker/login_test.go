package broker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

func TestLogin(t *testing.T) {
	secret := func(auth broker.ClientAuth) func(*scene) {
		return func(s *scene) {
			path := filepath.Join(s.t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte("correct horse:%&+\n"), 0o600); err != nil {
				s.t.Fatal(err)
			}
			s.provider.Secret = "correct horse:%&+"
			s.config.Preset, s.config.SubjectClaim, s.config.SubjectForm = "generic", "bp_id_sub", broker.FormBuypass
			s.config.Scopes = []string{"openid", "bpid"}
			s.config.ClientAuth, s.config.SecretFile = auth, path
		}
	}
	for name, change := range map[string]func(*scene){
		"private_key_jwt":     func(*scene) {},
		"client_secret_basic": secret(broker.SecretBasic),
		"client_secret_post":  secret(broker.SecretPost),
		"without PAR": func(s *scene) {
			s.provider.Discovery = func(d map[string]any) { delete(d, "pushed_authorization_request_endpoint") }
		},
		"PAR and request object required": func(s *scene) { s.provider.RequirePAR, s.provider.RequireRequestObject = true, true },
		"request object without PAR": func(s *scene) {
			s.config.RequestObject = true
			s.provider.Discovery = func(d map[string]any) { delete(d, "pushed_authorization_request_endpoint") }
		},
		"encrypted with ECDH-ES": func(s *scene) { s.provider.Encrypt, s.config.Encrypted, s.config.UserInfo = true, true, true },
		"encrypted with RSA": func(s *scene) {
			s.provider.Encrypt, s.config.Encrypted, s.config.UserInfo = true, true, true
			s.config.KeysFile = writeKeys(s.t, s.t.TempDir(), rsaKey(s.t, "k", "sig", "PS256"), rsaKey(s.t, "e", "enc", "RSA-OAEP-256"))
			s.register(s.config.KeysFile)
		},
		"plain UserInfo":  func(s *scene) { s.config.UserInfo = true },
		"signed UserInfo": func(s *scene) { s.config.UserInfo, s.provider.SignUserInfo = true, true },
		"identifier in UserInfo only": func(s *scene) {
			s.config.UserInfo = true
			s.provider.Claims = func(c map[string]any) { delete(c, "bp_id_sub") }
		},
		"amr as asked":                 func(s *scene) { s.config.AMRValues = []string{"app", "sc"} },
		"acr as asked":                 func(s *scene) { s.config.ACRValues = []string{"high"} },
		"identifier in full":           func(s *scene) { s.provider.Persons[0].BuypassID = "UN:NO-9578-4050-900000001" },
		"identifier in the older form": func(s *scene) { s.provider.Persons[0].BuypassID = "9578-4050-900000001" },
		"with the certificate": func(s *scene) {
			s.provider.Persons[0].Certificate = certificate(s.t, s.now, "UN:NO-9578-4050-900000001")
		},
		"with the certificate only": func(s *scene) {
			s.provider.Persons[0].Certificate = certificate(s.t, s.now, "9578-4050-900000001")
			s.provider.Claims = func(c map[string]any) { delete(c, "bp_id_sub") }
		},
		"the broker's new key":      func(s *scene) { s.between = func() { s.provider.RotateKey(false) } },
		"both of the broker's keys": func(s *scene) { s.between = func() { s.provider.RotateKey(true) } },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			change(s)
			got, err := s.run()
			if err != nil {
				t.Fatal(err)
			}
			want := kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Prøve", Domain: "test"}
			if got.Holder != want {
				t.Errorf("got %+v, want %+v", got.Holder, want)
			}
			if got.Environment != broker.Sandbox {
				t.Errorf("environment is %q", got.Environment)
			}
		})
	}
}

// The presets ask for what the brokers document, and with the parameters' own names.
func TestAuthorizationRequest(t *testing.T) {
	s := newScene(t)
	s.config.AMRValues, s.config.Hint = []string{"sc", "app"}, "fido2"
	asked := map[string]string{}
	s.provider.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/par" {
			_ = r.ParseForm()
			for name := range r.PostForm {
				asked[name] = r.PostForm.Get(name)
			}
		}
		return false
	}
	if _, _, err := s.start().Begin(t.Context(), "nn"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"scope": "openid bpid bpx509certificate", "prompt": "login", "ui_locales": "nn", "bp_amr_values": "sc app",
		"bp_idp_hint": "fido2", "code_challenge_method": "S256", "response_type": "code", "redirect_uri": redirect,
	} {
		if asked[name] != want {
			t.Errorf("%s is %q, want %q", name, asked[name], want)
		}
	}
}

// The keys change while the hub runs: the first login uses the old key, the next the new.
func TestCredentialsReload(t *testing.T) {
	s := newScene(t)
	dir := filepath.Dir(s.config.KeysFile)
	old, _ := os.ReadFile(s.config.KeysFile)
	if _, err := s.run(); err != nil {
		t.Fatal(err)
	}
	writeKeys(t, dir, signKey("k2"), openKey("e1"))
	if changed, err := s.client.Reload(); err != nil || !changed {
		t.Fatalf("changed is %t, %v", changed, err)
	}
	if _, err := s.run(); err == nil {
		t.Error("the broker does not know the new key yet, but the login succeeds")
	}
	s.register(s.config.KeysFile)
	if _, err := s.run(); err != nil {
		t.Error(err)
	}
	// A damaged file changes nothing.
	if err := os.WriteFile(s.config.KeysFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.client.Reload(); err == nil || changed {
		t.Errorf("a damaged file: changed is %t, %v", changed, err)
	}
	if _, err := s.run(); err != nil {
		t.Errorf("after a damaged file: %v", err)
	}
	if err := os.WriteFile(s.config.KeysFile, old, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.config.KeysFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Reload(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
}

// During a rotation the file has two keys: the first signs, both open.
func TestTwoKeys(t *testing.T) {
	s := newScene(t)
	s.provider.Encrypt, s.config.Encrypted = true, true
	s.config.KeysFile = writeKeys(t, t.TempDir(), signKey("new"), signKey("old"), openKey("e-new"), openKey("e-old"))
	s.register(s.config.KeysFile)
	if _, err := s.run(); err != nil {
		t.Fatal(err)
	}
	keys := s.provider.ClientKeys.Keys
	s.provider.ClientKeys.Keys = append(keys[:2:2], keys[3]) // the broker encrypts to the old one
	if _, err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// A national identity number that a broker sends without being asked is in nothing that
// Finish returns or prints.
func TestPersonalNumberIsDropped(t *testing.T) {
	const number = "15507600333"
	s := newScene(t)
	s.config.UserInfo = true
	s.provider.Persons[0].Extra = map[string]any{
		"bp_nnin_sub": number, "nin": map[string]any{"value": number}, "no_ssn": number, "ssn": number,
		"norwegian-nin": number, "dateOfBirth": "1976-10-15",
	}
	got, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	all := fmt.Sprintf("%s %+v %v %#v", text, got.Holder, got.AMR, got.ACR)
	if strings.Contains(all, number) {
		t.Errorf("the number is in %s", all)
	}
}

// The secrets of a login are not printed.
func TestSecretsPrintAsSecret(t *testing.T) {
	s := newScene(t)
	flow, _, err := s.start().Begin(t.Context(), "nb")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{flow, &flow, s.client.Credentials(), struct{ F broker.Flow }{flow}} {
		if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); strings.Contains(text, flow.Verifier) || !strings.Contains(text, "[secret]") {
			t.Errorf("%T prints %s", v, text)
		}
	}
}
