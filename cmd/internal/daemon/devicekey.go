package daemon

import (
	"fmt"
	"io"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// OpenCredentials reads the kiosk's certificate and opens its device key. The
// configured key file contains either the key or a reference to a key in a TPM. The
// caller must close device, which releases the TPM.
func OpenCredentials(c *config.Config) (credentials *hubapi.Credentials, device io.Closer, err error) {
	key, device, err := devicekey.Open(c.Hub.Key, c.Hub.TPM)
	if err != nil {
		return nil, nil, err
	}
	credentials, err = hubapi.NewCredentials(c.Hub.CA, c.Hub.Certificate, key)
	if who := (hubapi.Identity{Role: hubapi.RoleKiosk, Name: c.ID}); err == nil && credentials.Identity != who {
		err = fmt.Errorf("certificate %s is for %s, not for %s", c.Hub.Certificate, credentials.Identity, who)
	}
	if err != nil {
		_ = device.Close()
		return nil, nil, err
	}
	return credentials, device, nil
}
