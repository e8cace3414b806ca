//go:build !pkcs11

package daemon

import (
	"errors"

	"smartkiosk/kiosk/terminal"
)

// openModule says that this program knows no modules.
func openModule(cardSlot, string, string) (terminal.Slot, error) {
	return nil, errors.New("cannot use reader.pkcs11: this kioskd was built without PKCS #11; build it with go build -tags pkcs11")
}
