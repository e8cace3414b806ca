package cardsim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
)

// These tests check the card with OpenSC's tools, through the real pcscd.

// readOnly makes OpenSC 0.23 use a card that it does not know.
const readOnly = `app default {
	enable_default_driver = true;
	framework pkcs15 { use_file_caching = false; }
}`

// signing configures a driver for the card, because the driver for unknown cards
// supports no algorithms. This one sends MSE SET, PSO and VERIFY as in ISO 7816.
const signing = `app default {
	card_atr 3b:9f:96:40:0a:80:31:e0:6b:04:20:05:02:10:55:55:55:55:55:55 {
		driver = "MaskTech";
	}
	framework pkcs15 { use_file_caching = false; }
}`

// opensc runs one of OpenSC's tools, or openssl, in the test's own folder and returns
// all its output.
type opensc struct {
	t   *testing.T
	dir string
}

func newOpenSC(t *testing.T, conf string) opensc {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "opensc.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return opensc{t: t, dir: dir}
}

func (o opensc) tool(name string, args ...string) (output string, err error) {
	cmd := exec.CommandContext(o.t.Context(), name, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "HOME="+o.dir, "XDG_CACHE_HOME="+o.dir, "OPENSC_CONF="+filepath.Join(o.dir, "opensc.conf"))
	b, err := cmd.CombinedOutput()
	return strings.TrimPrefix(string(b), "Using reader with a card: "+pcsctest.Reader+"\n"), err
}

// must runs a tool that must succeed.
func (o opensc) must(name string, args ...string) string {
	o.t.Helper()
	output, err := o.tool(name, args...)
	if err != nil {
		o.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
	return output
}

// dumps compares what pkcs15-tool reads from the card with testdata, except for what
// differs each time.
func (o opensc) dumps(kind string) {
	o.t.Helper()
	dump := regexp.MustCompile(`(Encoded serial : |Last update    : |MD:guid        : 0x).*`).ReplaceAllString(o.must("pkcs15-tool", "--dump"), "$1…")
	dump = regexp.MustCompile(`(Data \()\d+( bytes\): )[0-9A-F\s]+\n`).ReplaceAllString(dump, "$1…$2…\n")
	path := filepath.Join("testdata", "dumps", kind+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(dump), 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	if dump != string(golden) {
		o.t.Errorf("pkcs15-tool --dump of %s:\n%s", kind, dump)
	}
}

var update = flag.Bool("update", false, "write what OpenSC sees to testdata")

func TestOpenSCReads(t *testing.T) {
	p := newPKI(t)
	pcsctest.Start(t).Insert(t, p.Cards["valid"])
	o := newOpenSC(t, readOnly)

	if got, want := o.must("opensc-tool", "--atr"), "3b:9f:96:40:0a:80:31:e0:6b:04:20:05:02:10:55:55:55:55:55:55\n"; got != want {
		t.Errorf("ATR %s", got)
	}

	o.dumps(cardsim.Smartkort)

	for id, want := range map[string][]byte{
		"45": p.Holders["valid"].Authentication.Certificate.Raw,
		"46": p.Holders["valid"].Signature.Certificate.Raw,
		"61": p.PersonCA.Raw,
	} {
		block, _ := pem.Decode([]byte(o.must("pkcs15-tool", "--read-certificate", id)))
		if block == nil || !bytes.Equal(block.Bytes, want) {
			t.Errorf("certificate %s is not the one on the card", id)
		}
	}
}

func TestOpenSCSigns(t *testing.T) {
	pcsctest.Start(t).Insert(t, newPKI(t).Cards["valid"])
	o := newOpenSC(t, signing)
	digest := sha256.Sum256([]byte("message"))
	if err := os.WriteFile(filepath.Join(o.dir, "digest"), digest[:], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"45", "46"} {
		o.must("pkcs15-crypt", "--sign", "--key", id, "--pin", "1234", "--sha-256", "--pkcs1", "--input", "digest", "--output", "signature")
		o.must("pkcs15-tool", "--read-certificate", id, "--output", "certificate")
		verdict := o.must("openssl", "pkeyutl", "-verify", "-certin", "-inkey", "certificate",
			"-in", "digest", "-sigfile", "signature", "-pkeyopt", "digest:sha256")
		if !strings.Contains(verdict, "Verified Successfully") {
			t.Errorf("openssl on key %s: %s", id, verdict)
		}
	}
}

// TestOpenSCCountsTries blocks the PIN with OpenSC by wrong PINs, and unblocks it with
// the PUK.
func TestOpenSCCountsTries(t *testing.T) {
	pcsctest.Start(t).Insert(t, newPKI(t).Cards["valid"])
	o := newOpenSC(t, readOnly)
	tries := func(want string) {
		t.Helper()
		if got := o.must("opensc-tool", "--send-apdu", "00200082"); !strings.Contains(got, want) {
			t.Fatalf("asked for the tries left: %swant %s", got, want)
		}
	}
	tries("SW1=0x63, SW2=0xC3")
	for left := 2; left >= 0; left-- {
		output, err := o.tool("pkcs15-tool", "--change-pin", "--auth-id", "01", "--pin", "0000", "--new-pin", "5678")
		if want := fmt.Sprintf("PIN code incorrect; tries left: %d", left); err == nil || !strings.Contains(output, want) {
			t.Fatalf("wrong PIN: %v, %s\nwant %s", err, output, want)
		}
	}
	tries("SW1=0x69, SW2=0x83")
	if output, err := o.tool("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "1234"); err == nil {
		t.Fatalf("blocked PIN accepted: %s", output)
	}
	output, err := o.tool("pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", "00000000", "--new-pin", "5678")
	if want := "PUK code incorrect; tries left: 2"; err == nil || !strings.Contains(output, want) {
		t.Fatalf("wrong PUK: %v, %s\nwant %s", err, output, want)
	}
	o.must("pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", "12345678", "--new-pin", "5678")
	tries("SW1=0x63, SW2=0xC3")
	o.must("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "5678")
	o.must("pkcs15-tool", "--change-pin", "--auth-id", "01", "--pin", "5678", "--new-pin", "1234")
	o.must("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "1234")
}
