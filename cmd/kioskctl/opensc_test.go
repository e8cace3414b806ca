//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/reader"
)

// view describes the content of a card: a line for each object, sorted.
type view []string

// TestViewEqualsOpenSC checks that through the same pcscd our view of each kind of card
// equals that of OpenSC: ids, labels, references, lengths, and all bytes of the
// certificates.
func TestViewEqualsOpenSC(t *testing.T) {
	p := newPKI(t)
	kinds, err := p.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	cards := map[string]*cardsim.Card{"smartkort": p.Cards["valid"]}
	for name, k := range kinds {
		cards[name] = k.Card
	}
	// OpenSC's driver for unknown cards is not enough for these two: one needs the
	// driver of the applet, the other a driver with extended length.
	drivers := map[string]string{cardsim.Applet: "isoApplet", cardsim.T1: "MaskTech"}
	d := pcsctest.Start(t)
	ctl := program{slot: reader.New("", slog.New(slog.DiscardHandler)), patience: time.Minute, stderr: &bytes.Buffer{}}
	for _, name := range slices.Sorted(maps.Keys(cards)) {
		t.Run(name, func(t *testing.T) {
			defer d.Insert(t, cards[name])()
			o := newOpenSC(t, cards[name].ATR(), drivers[name])
			theirs := o.view(t)
			var out bytes.Buffer
			ctl := ctl
			ctl.stdout = &out
			if err := ctl.run(t.Context(), []string{"card", "--json"}); err != nil {
				t.Fatal(err)
			}
			var r cardReport
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if ours := ourView(r); name == cardsim.PIV || name == cardsim.EstEID {
				ours.sameCertificates(t, theirs)
			} else if !reflect.DeepEqual(ours, theirs) || len(ours) < 5 {
				t.Errorf("ours:\n%s\nOpenSC's:\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
			}
		})
	}
}

// sameCertificates checks that OpenSC sees all certificates of v too. The rest of its
// view is made up by its driver, because these cards have no directory.
func (v view) sameCertificates(t *testing.T, theirs view) {
	t.Helper()
	n := 0
	for _, line := range v {
		if !strings.HasPrefix(line, "certificate ") {
			continue
		}
		n++
		digest := line[strings.LastIndex(line, " "):]
		if !slices.ContainsFunc(theirs, func(other string) bool { return strings.HasSuffix(other, digest) }) {
			t.Errorf("OpenSC does not see %s, only\n%s", line, strings.Join(theirs, "\n"))
		}
	}
	if n == 0 {
		t.Errorf("no certificates in\n%s", strings.Join(v, "\n"))
	}
}

func ourView(r cardReport) view {
	v := view{fmt.Sprintf("card %q %s %q", r.Label, r.Serial, r.Manufacturer)}
	for _, p := range r.PINs {
		v = append(v, fmt.Sprintf("pin %s %q reference %s, %d-%d digits, %d bytes", p.ID, p.Label, p.Reference, p.MinLength, p.MaxLength, p.Stored))
	}
	for _, k := range r.Keys {
		v = append(v, fmt.Sprintf("key %s %q reference %d, guarded by %s", k.ID, k.Label, k.Reference, k.PIN))
	}
	for _, c := range r.Certificates {
		v = append(v, fmt.Sprintf("certificate %s %q %s", c.ID, c.Label, c.SHA256))
	}
	slices.Sort(v)
	return v
}

// opensc runs OpenSC's tools in a folder of the test.
type opensc struct{ dir string }

func newOpenSC(t *testing.T, atr []byte, driver string) opensc {
	conf := "app default {\n enable_default_driver = true;\n framework pkcs15 { use_file_caching = false; }\n}"
	if driver != "" {
		colons := regexp.MustCompile(`..`).ReplaceAllString(hex.EncodeToString(atr), "$0:")
		conf = fmt.Sprintf("app default {\n card_atr %s { driver = %q; }\n framework pkcs15 { use_file_caching = false; }\n}", colons[:len(colons)-1], driver)
	}
	o := opensc{t.TempDir()}
	if err := os.WriteFile(filepath.Join(o.dir, "opensc.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o opensc) run(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "pkcs15-tool", args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "HOME="+o.dir, "XDG_CACHE_HOME="+o.dir, "OPENSC_CONF="+filepath.Join(o.dir, "opensc.conf"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pkcs15-tool %v: %v\n%s", args, err, out)
	}
	return string(out)
}

var (
	objectLine = regexp.MustCompile(`^(PKCS#15 Card|PIN|Private \w+ Key|X\.509 Certificate) \[(.*)\]:?$`)
	fieldLine  = regexp.MustCompile(`^\s+(.*?)\s*: (.*)$`)
	numbers    = regexp.MustCompile(`\d+`)
)

// view reads what pkcs15-tool --dump prints.
func (o opensc) view(t *testing.T) view {
	type object struct {
		kind, label string
		fields      map[string]string
	}
	var objects []*object
	for _, line := range strings.Split(o.run(t.Context(), t, "--dump"), "\n") {
		if m := objectLine.FindStringSubmatch(line); m != nil {
			objects = append(objects, &object{m[1], m[2], map[string]string{}})
		} else if line != "" && line[0] != '\t' && line[0] != ' ' {
			objects = append(objects, &object{"other", "", map[string]string{}})
		} else if m := fieldLine.FindStringSubmatch(line); m != nil && len(objects) > 0 {
			last := objects[len(objects)-1].fields
			if _, set := last[m[1]]; !set {
				last[m[1]] = m[2]
			}
		}
	}
	hexOf := func(s string) string { // "130 (0x82)"
		n, _ := strconv.Atoi(numbers.FindString(s))
		return fmt.Sprintf("%02x", byte(n))
	}
	var v view
	for _, o2 := range objects {
		f := o2.fields
		switch {
		case o2.kind == "PKCS#15 Card":
			v = append(v, fmt.Sprintf("card %q %s %q", o2.label, strings.ToLower(f["Serial number"]), f["Manufacturer ID"]))
		case o2.kind == "PIN":
			n := numbers.FindAllString(f["Length"], 3)
			v = append(v, fmt.Sprintf("pin %s %q reference %s, %s-%s digits, %s bytes", f["ID"], o2.label, hexOf(f["Reference"]), n[0], n[1], n[2]))
		case strings.HasPrefix(o2.kind, "Private"):
			v = append(v, fmt.Sprintf("key %s %q reference %s, guarded by %s", f["ID"], o2.label, strings.Fields(f["Key ref"])[0], f["Auth ID"]))
		case o2.kind == "X.509 Certificate" && f["Authority"] == "no":
			block, _ := pem.Decode([]byte(o.run(t.Context(), t, "--read-certificate", f["ID"])))
			if block == nil {
				t.Fatalf("no certificate %s", f["ID"])
			}
			v = append(v, fmt.Sprintf("certificate %s %q %s", f["ID"], o2.label, fingerprint(block.Bytes)))
		}
	}
	slices.Sort(v)
	return v
}
