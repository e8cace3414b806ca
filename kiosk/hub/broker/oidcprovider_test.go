package broker_test

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/broker"
)

// judge is npm's oidc-provider, an implementation of OpenID Connect that this project did
// not write. testdata/oidc-provider says what it requires.
type judge struct {
	folder string
}

// installJudge installs the packages of the lock file in a temporary folder.
func installJudge(t *testing.T) judge {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/oidc-provider")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return judge{dir}
}

// start starts a provider with a client and returns its issuer. It ends with the test.
func (j judge) start(t *testing.T, settings map[string]any) (issuer string) {
	t.Helper()
	// Node 18 has no global crypto without this option; later versions ignore it.
	node := exec.CommandContext(t.Context(), "node", "--experimental-global-webcrypto", "server.mjs")
	node.Dir, node.Stderr = j.folder, os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), node.Wait() })
	if err := json.NewEncoder(in).Encode(settings); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return lines.Text()
		}
	}
	t.Fatal("oidc-provider did not start")
	return ""
}

// visit follows a browser from address to the redirect URL, and returns its query.
func visit(t *testing.T, address, who string) (query string) {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var send func() (*http.Response, error)
	send = func() (*http.Response, error) { return browser.Get(address) }
	for range 20 {
		resp, err := send()
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK && strings.Contains(string(page), "<form") {
			at := address
			send = func() (*http.Response, error) { return browser.PostForm(at, url.Values{"who": {who}}) }
			continue
		}
		to, err := resp.Location()
		if err != nil {
			t.Fatalf("%s: %s\n%s", address, resp.Status, page)
		}
		address = to.String()
		if q, ok := strings.CutPrefix(address, redirect+"?"); ok {
			return q
		}
		send = func() (*http.Response, error) { return browser.Get(address) }
	}
	t.Fatal("too many pages")
	return ""
}

func TestAgainstOIDCProvider(t *testing.T) {
	judge := installJudge(t)
	ecKeys := []jose.JSONWebKey{signKey("k1"), openKey("e1")}
	rsaKeys := []jose.JSONWebKey{rsaKey(t, "k1", "sig", "PS256"), rsaKey(t, "e1", "enc", "RSA-OAEP-256")}
	for _, row := range []struct {
		name       string
		keys       []jose.JSONWebKey
		encryption string
		acr, who   string
		registered []jose.JSONWebKey // nil for keys
		want       kiosk.Reason      // "" for a login
	}{
		{name: "elliptic curves", keys: ecKeys, encryption: "ECDH-ES", acr: "urn:example:high", who: "kari"},
		{name: "RSA", keys: rsaKeys, encryption: "RSA-OAEP-256", acr: "urn:example:high", who: "kari"},
		{name: "another level", keys: ecKeys, encryption: "ECDH-ES", acr: "urn:example:low", who: "kari", want: kiosk.LoginLevel},
		{name: "the person gives up", keys: ecKeys, encryption: "ECDH-ES", acr: "urn:example:high", want: kiosk.LoginCancelled},
		{name: "a key that is not registered", keys: ecKeys, registered: []jose.JSONWebKey{signKey("k1"), ecKeys[1]}, encryption: "ECDH-ES", acr: "urn:example:high", who: "kari", want: kiosk.LoginRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			var public jose.JSONWebKeySet
			for _, k := range append(row.registered, row.keys[len(row.registered):]...) {
				public.Keys = append(public.Keys, k.Public())
			}
			issuer := judge.start(t, map[string]any{
				"client_id": "smartkiosk", "redirect_uri": redirect, "jwks": public,
				"signing": row.keys[0].Algorithm, "encryption": row.encryption, "acr": row.acr,
			})
			client, err := broker.New(broker.Config{
				Name: "judge", Environment: broker.Sandbox, Preset: "generic", Issuer: issuer, ClientID: "smartkiosk", RedirectURL: redirect,
				KeysFile: writeKeys(t, t.TempDir(), row.keys...), Scopes: []string{"openid", "profile", "bpid"}, ACRValues: []string{"urn:example:high"},
				Encrypted: true, UserInfo: true, SubjectClaim: "bp_id_sub", SubjectForm: broker.FormBuypass, Domain: "buypass",
			}, "", broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
			if err != nil {
				t.Fatal(err)
			}
			person, err := login(t, client, row.who)
			if row.want != "" {
				if r, ok := err.(*broker.Refusal); !ok || r.Reason != row.want {
					t.Fatalf("got %v, %v; want %s", person.Holder, err, row.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := (kiosk.Holder{ID: "UN:NO-9578-4050-900000001", Name: "Kari Prøve", Domain: "buypass"}); person.Holder != want {
				t.Errorf("got %+v, want %+v", person.Holder, want)
			}
		})
	}
}

func login(t *testing.T, client *broker.Client, who string) (broker.Person, error) {
	t.Helper()
	flow, address, err := client.Begin(t.Context(), "nb")
	if err != nil {
		return broker.Person{}, err
	}
	in, err := broker.ReadCallback(visit(t, address, who))
	if err != nil {
		return broker.Person{}, err
	}
	person, err := client.Finish(t.Context(), flow, in)
	if err != nil {
		return broker.Person{}, err
	}
	if _, err := client.Finish(t.Context(), flow, in); err == nil {
		t.Error("a code is accepted twice")
	}
	return person, nil
}
