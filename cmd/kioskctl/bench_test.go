//go:build linux

package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// BenchmarkPCSC measures a visit with one card through one pcscd: with our driver, and
// with OpenSC's pkcs11-tool --sign. Each is measured with a card that was never in the
// reader and with one that was. Our driver is also measured with the first card of its
// kind. OpenSC's times include the start of a program, ours do not. Commands and bytes
// can be compared directly.
func BenchmarkPCSC(b *testing.B) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	pcsctest.Start(b).Insert(b, pki.Cards["valid"])
	r := reader.New("", slog.New(slog.DiscardHandler))
	newDriver := func() smartkort.Driver {
		cache, err := smartkort.NewCache(make([]byte, 32), nil)
		if err != nil {
			b.Fatal(err)
		}
		return smartkort.Driver{Cache: cache}
	}
	other := cardsim.NewSlot("other")
	other.Insert(pki.Cards["revoked"])
	b.Run("ours-coldest", func(b *testing.B) {
		measure(b, func() (int, int) { return ourSign(b, newDriver(), r) })
	})
	b.Run("ours-first", func(b *testing.B) {
		measure(b, func() (int, int) {
			d := newDriver()
			b.StopTimer()
			ourSign(b, d, other)
			b.StartTimer()
			return ourSign(b, d, r)
		})
	})
	b.Run("ours-repeated", func(b *testing.B) {
		d := newDriver()
		ourSign(b, d, r)
		measure(b, func() (int, int) { return ourSign(b, d, r) })
	})
	b.Run("opensc-first", func(b *testing.B) {
		measure(b, func() (int, int) { return newPKCS11(b).sign(b) })
	})
	b.Run("opensc-repeated", func(b *testing.B) {
		p := newPKCS11(b)
		p.sign(b)
		measure(b, func() (int, int) { return p.sign(b) })
	})
}

func measure(b *testing.B, visit func() (apdus, bytes int)) {
	var apdus, bytes int
	for b.Loop() {
		apdus, bytes = visit()
	}
	b.ReportMetric(float64(apdus), "apdus/op")
	b.ReportMetric(float64(bytes), "bytes/op")
}

type counting struct {
	slot.Conn
	apdus, bytes int
}

func (c *counting) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	n := len(command)
	response, err := c.Conn.Transmit(ctx, command)
	c.apdus, c.bytes = c.apdus+1, c.bytes+n+len(response)
	return response, err
}

func ourSign(b *testing.B, d smartkort.Driver, r slot.Slot) (apdus, bytes int) {
	ctx := b.Context()
	conn, err := r.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	c := &counting{Conn: conn}
	card, err := d.Open(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer card.Close()
	certs, err := card.AuthenticationCertificates(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := card.VerifyPIN(ctx, certs[0], []byte(testpki.PIN)); err != nil {
		b.Fatal(err)
	}
	signer, err := card.Signer(ctx, certs[0])
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	if _, err := signer.Sign(nil, digest[:], crypto.SHA256); err != nil {
		b.Fatal(err)
	}
	return c.apdus, c.bytes
}

// pkcs11 is OpenSC with its file cache in a folder of its own.
type pkcs11 struct{ dir, module string }

func newPKCS11(b *testing.B) pkcs11 {
	modules, err := filepath.Glob("/usr/lib/*/opensc-pkcs11.so")
	if err != nil || len(modules) == 0 {
		b.Fatal("no opensc-pkcs11.so")
	}
	p := pkcs11{b.TempDir(), modules[0]}
	conf := fmt.Sprintf(`app default {
	debug = 5;
	debug_file = %q;
	card_atr 3b:9f:96:40:0a:80:31:e0:6b:04:20:05:02:10:55:55:55:55:55:55 { driver = "MaskTech"; }
	framework pkcs15 { use_file_caching = yes; file_cache_dir = %q; }
}`, filepath.Join(p.dir, "log"), p.dir)
	for name, content := range map[string]string{"opensc.conf": conf, "digestinfo": digestInfo + string(make([]byte, 32))} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

// digestInfo is the DER encoding of a SHA-256 DigestInfo without the digest (RFC 8017
// §9.2 note 1).
const digestInfo = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

var apduLine = regexp.MustCompile(`(Outgoing|Incoming) APDU \((\d+) bytes\)`)

func (p pkcs11) sign(b *testing.B) (apdus, bytes int) {
	log := filepath.Join(p.dir, "log")
	_ = os.Remove(log)
	cmd := exec.CommandContext(b.Context(), "pkcs11-tool", "--module", p.module, "--login", "--pin", testpki.PIN, "--sign", "--id", "45",
		"--mechanism", "RSA-PKCS", "--input-file", "digestinfo", "--output-file", "signature")
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_CACHE_HOME="+p.dir, "OPENSC_CONF="+filepath.Join(p.dir, "opensc.conf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("pkcs11-tool: %v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range apduLine.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(m[2]))
		bytes += n
		if string(m[1]) == "Outgoing" {
			apdus++
		}
	}
	if apdus == 0 {
		b.Fatal("OpenSC's log has no APDUs")
	}
	return apdus, bytes
}
