//go:build !pkcs11

package daemon

import (
	"strings"
	"testing"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/smartkort"
)

// A configuration that this program cannot follow is not followed by halves.
func TestNoPKCS11(t *testing.T) {
	s := cardsim.NewSlot("slot")
	_, err := openCards(config.Reader{PKCS11: "/usr/lib/module.so"}, s, smartkort.Driver{})
	if err == nil || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("a module without the build tag: %v", err)
	}
	if _, err := openCards(config.Reader{}, s, smartkort.Driver{}); err != nil {
		t.Errorf("no module: %v", err)
	}
}
