//go:build !pkcs11

package daemon

import (
	"strings"
	"testing"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/smartkort"
)

// TestNoPKCS11 checks that a program without PKCS #11 refuses a configuration that
// needs it.
func TestNoPKCS11(t *testing.T) {
	s := cardsim.NewSlot("slot")
	_, _, err := openCards(config.Reader{PKCS11: "/usr/lib/module.so"}, s, smartkort.Driver{})
	if err == nil || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("a module without the build tag: %v", err)
	}
	if _, _, err := openCards(config.Reader{}, s, smartkort.Driver{}); err != nil {
		t.Errorf("no module: %v", err)
	}
}
