//go:build linux

package reader_test

import (
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/reader"
)

func TestList(t *testing.T) {
	d := start(t)
	names, err := reader.List()
	if err != nil || !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, pcsctest.Reader) }) {
		t.Errorf("%q, %v", names, err)
	}
	d.Kill()
	if names, err := reader.List(); err == nil {
		t.Errorf("without pcscd: %q", names)
	}
}
