//go:build linux && cgo

package scproxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// loginPage does in a browser what a login page does, and shows the answers.
const loginPage = `<!doctype html><title>login</title><pre id="out"></pre><script>
const base = "https://%s/scard/";
const post = async (path, body) => (await fetch(base + path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body ?? {})})).json();
(async () => {
  const out = document.getElementById("out");
  try {
    const {version} = await post("version/");
    const {readers: [reader]} = await post("list/");
    const {ref, data} = await post("getref/");
    const bytes = data.match(/../g).map(h => parseInt(h, 16));
    const hex = n => n.toString(16).padStart(2, "0");
    const pin = [..."1234"].map((d, i) => hex(d.charCodeAt(0) ^ bytes[i] ^ bytes[i + 4])).join("");
    const packet = "ffff0104" + ref.toString(16).padStart(8, "0") + "0504a020008208" + pin + "ffffffff";
    const {apduresponses} = await post("apdu/" + encodeURIComponent(reader.name), {timeout: 10, session: "s1", apducommands: [{apdu: "00a40000023f00"}, {apdu: packet}]});
    out.textContent = [version, reader.name, reader.cardstatus, ...apduresponses.map(r => r.apdu)].join(" ");
  } catch (e) { out.textContent = "failed: " + e; }
})();
</script>`

// TestInABrowser logs in from a page of secure.buypass.no in Chromium. A page of
// another host fails.
func TestInABrowser(t *testing.T) {
	service, _, _ := newService(t)
	dir := t.TempDir()
	certificate, err := Certificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(ctx, l, certificate) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	pages := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, loginPage, l.Addr())
	}))
	defer pages.Close()

	var trusted []string
	for _, public := range [][]byte{certificate.Leaf.RawSubjectPublicKeyInfo, pages.Certificate().RawSubjectPublicKeyInfo} {
		hash := sha256.Sum256(public)
		trusted = append(trusted, base64.StdEncoding.EncodeToString(hash[:]))
	}
	for host, want := range map[string]string{
		"secure.buypass.no":   "1.5.2 " + readerName + " 302 9000 9000",
		"secure.evil.example": "failed: TypeError: Failed to fetch",
	} {
		browser := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--host-resolver-rules=MAP "+host+" "+pages.Listener.Addr().String(),
			"--ignore-certificate-errors-spki-list="+strings.Join(trusted, ","),
			"--virtual-time-budget=30000", "--dump-dom", "https://"+host+"/")
		var problems bytes.Buffer
		browser.Stderr = &problems
		browser.Env = append(os.Environ(), "HOME="+t.TempDir())
		dom, err := browser.Output()
		if err != nil || !strings.Contains(string(dom), ">"+want+"<") {
			t.Errorf("%s: %v\n%s\n%s", host, err, dom, problems.String())
		}
	}
}
