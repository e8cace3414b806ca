package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestSBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const list = "pcscd 2.3.3-1 arm64 pcsc-lite 2.3.3-1\nadduser 3.152+x all adduser 3.152\n"
	var out bytes.Buffer
	if err := run([]string{self, self}, strings.NewReader(list), &out); err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Components             []component
	}
	if err := json.Unmarshal(out.Bytes(), &bom); err != nil || bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.5" {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	got := map[string]int{}
	for _, c := range bom.Components {
		got[c.PURL]++
	}
	for _, want := range []string{"pkg:deb/debian/pcscd@2.3.3-1?arch=arm64&distro=trixie", "pkg:deb/debian/adduser@3.152%2Bx?arch=all&distro=trixie"} {
		if got[want] != 1 {
			t.Errorf("%s is there %d times in %v", want, got[want], got)
		}
	}
	std := 0
	for purl := range got {
		if strings.HasPrefix(purl, "pkg:golang/std@1.") {
			std++
		}
	}
	if std != 1 {
		t.Errorf("Go's library is there %d times", std)
	}
	for list, want := range map[string]string{"": "it is empty", "pcscd 2\n": "has not five fields"} {
		if err := run(nil, strings.NewReader(list), &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", list, err)
		}
	}
	if err := run([]string{"/etc/passwd"}, strings.NewReader(list), &out); err == nil {
		t.Error("a text is read as a program")
	}
}

// FuzzDebian checks that no list of packages makes debian panic.
func FuzzDebian(f *testing.F) {
	f.Add("pcscd 2.3.3-1 arm64 pcsc-lite 2.3.3-1")
	f.Fuzz(func(t *testing.T, text string) {
		if all, err := debian(strings.NewReader(text)); err == nil && len(all) == 0 {
			t.Error("no package and no error")
		}
	})
}
