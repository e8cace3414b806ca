package broker_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smartkiosk/kiosk/hub/broker"
)

const brokersFile = `
[public]
listen = "0.0.0.0:8444"
url = "https://login.example"

[groups]
lobby = "test"
"*" = "real"

[brokers.test]
environment = "sandbox"
preset = "buypass"
issuer = "https://test.broker.example"
client_id = "smartkiosk"
keys = "test/keys.jwks"

[brokers.real]
environment = "production"
preset = "buypass"
issuer = "https://broker.example"
client_id = "smartkiosk"
keys = "real/keys.jwks"
`

// brokersFolder makes a folder with a brokers.toml and its files.
func brokersFolder(t *testing.T, file string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, sub := range []string{"test", "real"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		writeKeys(t, filepath.Join(dir, sub), signKey(sub))
	}
	if err := os.WriteFile(filepath.Join(dir, broker.File), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func outside() broker.Surroundings {
	return broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader}
}

func TestSet(t *testing.T) {
	dir := brokersFolder(t, brokersFile)
	s, err := broker.Load(dir, outside())
	if err != nil {
		t.Fatal(err)
	}
	for groups, want := range map[string]string{"": "real", "lobby": "test", "yard": "real", "yard lobby": "test"} {
		if got := s.For(strings.Fields(groups)).Config().Name; got != want {
			t.Errorf("groups %q have broker %s, want %s", groups, got, want)
		}
	}
	if got := s.Client("real").Config().RedirectURL; got != "https://login.example/callback" {
		t.Errorf("redirect URL is %s", got)
	}
	if none, err := broker.Load(t.TempDir(), outside()); none != nil || err != nil {
		t.Errorf("a folder without %s: %v, %v", broker.File, none, err)
	}
}

// A kiosk in two groups whose brokers differ has none.
func TestKioskOfTwoEnvironments(t *testing.T) {
	s, err := broker.Load(brokersFolder(t, strings.Replace(brokersFile, `"*" =`, `yard =`, 1)), outside())
	if err != nil {
		t.Fatal(err)
	}
	if c := s.For([]string{"lobby", "yard"}); c != nil {
		t.Errorf("got %s", c.Config().Name)
	}
	if c := s.For(nil); c != nil {
		t.Errorf("a kiosk without a group has %s", c.Config().Name)
	}
}

func TestBadSets(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(brokersFile, old, new, 1) }
	for name, row := range map[string]struct{ file, words string }{
		"unknown key":       {replace("client_id", "clientid"), "unknown key"},
		"no listen":         {replace(`listen = "0.0.0.0:8444"`, ""), "public.listen is missing"},
		"url without TLS":   {replace("https://login", "http://login"), "public.url"},
		"url too long":      {replace("https://login", "https://login."+strings.Repeat("long", 10)), "more than 54"},
		"group's broker":    {replace(`lobby = "test"`, `lobby = "none"`), "there is no such broker"},
		"broker's name":     {replace("[brokers.test]", "[brokers.Test_1]"), "lower-case letters"},
		"a broker's error":  {replace(`"sandbox"`, `"test"`), "broker test: environment"},
		"the same issuer":   {replace("https://test.broker", "https://broker"), "share the issuer"},
		"the same key file": {replace("test/keys.jwks", "real/keys.jwks"), "brokers real (production) and test (sandbox) share a key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := broker.Load(brokersFolder(t, row.file), outside())
			if err == nil || !strings.Contains(err.Error(), row.words) {
				t.Errorf("got %v, want … %s", err, row.words)
			}
		})
	}
}

// A secret that sandbox and production share is refused, also if it is the same text in two
// files.
func TestSharedSecret(t *testing.T) {
	file := strings.NewReplacer(`preset = "buypass"`, "preset = \"ingroupe\"\nclient_auth = \"client_secret_post\"", "keys =", "secret =", "keys.jwks", "secret").Replace(brokersFile)
	dir := brokersFolder(t, file)
	write := func(sub, text string) {
		if err := os.WriteFile(filepath.Join(dir, sub, "secret"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("test", "one")
	write("real", "one\n")
	if _, err := broker.Load(dir, outside()); err == nil || !strings.Contains(err.Error(), "share a client secret") {
		t.Errorf("got %v", err)
	}
	write("real", "two")
	if _, err := broker.Load(dir, outside()); err != nil {
		t.Error(err)
	}
}

// A running hub takes a new key, and keeps the old one if the new one is production's.
func TestSetReloads(t *testing.T) {
	dir := brokersFolder(t, brokersFile)
	synctest.Test(t, func(t *testing.T) {
		s, err := broker.Load(dir, outside())
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx, time.Second, slog.New(slog.NewTextHandler(&log, nil))) }()
		public := func() string { return string(s.Client("test").Credentials().PublicKeys()) }

		before := public()
		writeKeys(t, filepath.Join(dir, "test"), signKey("new"))
		time.Sleep(2 * time.Second)
		if after := public(); after == before || !strings.Contains(after, `"new"`) {
			t.Errorf("the keys are still %s", after)
		}
		before = public()
		shared, err := os.ReadFile(filepath.Join(dir, "real", "keys.jwks"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "test", "keys.jwks"), shared, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if after := public(); after != before {
			t.Errorf("the sandbox uses production's key")
		}
		cancel()
		<-ended
		if n := strings.Count(log.String(), "share a key"); n != 1 {
			t.Errorf("logged %d times: %s", n, fmt.Sprint(&log))
		}
	})
}
