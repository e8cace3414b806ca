//go:build !pkcs11

package daemon

import (
	"errors"

	"smartkiosk/kiosk/terminal"
)

// openModule returns an error: this program was built without PKCS #11.
func openModule(cardSlot, string, string) (terminal.Slot, error) {
	return nil, errors.New("cannot use reader.pkcs11: this kioskd was built without PKCS #11; build it with go build -tags pkcs11")
}
