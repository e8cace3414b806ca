//go:build pkcs11

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// TestPKCS11 prints the public halves of a broker's keys in two SoftHSM tokens, and
// refuses one key in both environments.
func TestPKCS11(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	tool := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	brokers := "[public]\nlisten = \"127.0.0.1:0\"\nurl = \"https://login.example\"\n"
	for name, environment := range map[string]string{"test": "sandbox", "real": "production"} {
		tool("softhsm2-util", "--init-token", "--free", "--label", name, "--pin", "1234", "--so-pin", "1234")
		tool("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", filepath.Join(dir, name+".pem"))
		tool("softhsm2-util", "--import", filepath.Join(dir, name+".pem"), "--token", name, "--label", name+"-a", "--id", "01", "--pin", "1234")
		brokers += fmt.Sprintf("[brokers.%s]\nenvironment = %q\npreset = \"buypass\"\nissuer = \"https://%s.broker.example\"\nclient_id = \"c\"\n"+
			"[brokers.%s.pkcs11]\nmodule = %q\ntoken = %q\npin = \"pin\"\nkeys = \"%s-\"\n", name, environment, name, name, softHSM, name, name)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pin", "1234\n")
	write("brokers.toml", brokers)
	keys := func(broker string) (string, error) {
		var out bytes.Buffer
		p := program{stdout: &out}
		command := p.brokerKeysCommand()
		command.SetArgs([]string{broker, "--dir", dir})
		command.SilenceUsage, command.SilenceErrors = true, true
		err := command.Execute()
		return out.String(), err
	}
	for _, name := range []string{"test", "real"} {
		if got, err := keys(name); err != nil || !strings.Contains(got, `"kid": "`+name+`-a"`) || !strings.Contains(got, `"alg": "ES256"`) || strings.Contains(got, `"d"`) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	tool("softhsm2-util", "--import", filepath.Join(dir, "test.pem"), "--token", "real", "--label", "real-b", "--id", "02", "--pin", "1234")
	if _, err := keys("test"); err == nil || !strings.Contains(err.Error(), "share a key") {
		t.Errorf("the sandbox's key in the production token: %v", err)
	}
}
