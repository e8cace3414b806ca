package hubapi_test

import (
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/hubapi"
)

// bundle makes a hub's folder with a consumer in it.
func bundle(t *testing.T) (dir, consumer string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "hub")
	if err := hub.Init(dir, hub.InitOptions{Listen: "127.0.0.1:8443", URL: "https://127.0.0.1:8443"}); err != nil {
		t.Fatal(err)
	}
	consumer, err := hub.AddConsumer(dir, "office")
	if err != nil {
		t.Fatal(err)
	}
	return dir, consumer
}

func TestLoadCredentials(t *testing.T) {
	_, b := bundle(t)
	c, err := hubapi.LoadCredentials(filepath.Join(b, "hub-ca.pem"), filepath.Join(b, "consumer.pem"), filepath.Join(b, "consumer.key"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (hubapi.Identity{Role: hubapi.RoleConsumer, Name: "office"}); c.Identity != want || c.Key == nil {
		t.Errorf("got %+v", c)
	}
}

func TestLoadCredentialsRefuses(t *testing.T) {
	dir, b := bundle(t)
	_, other := bundle(t)
	ca, cert, key := filepath.Join(b, "hub-ca.pem"), filepath.Join(b, "consumer.pem"), filepath.Join(b, "consumer.key")
	for _, tt := range []struct{ what, ca, cert, key, want string }{
		{"no CA", filepath.Join(b, "none"), cert, key, "cannot read the hub's CA"},
		{"a key for the CA", key, cert, key, "no PEM certificate in"},
		{"no certificate", ca, filepath.Join(b, "none"), key, "cannot read the certificate"},
		{"another's key", ca, cert, filepath.Join(other, "consumer.key"), "private key does not match"},
		{"the hub's own certificate", ca, filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), "names neither a kiosk nor a consumer"},
	} {
		if _, err := hubapi.LoadCredentials(tt.ca, tt.cert, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.what, err, tt.want)
		}
	}
}
