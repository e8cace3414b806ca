package daemon

import (
	"crypto"
	"fmt"
	"io"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// openCredentials reads the kiosk's certificate and opens its device key. The
// configured key file contains either the key or a reference to a key in a TPM. The
// caller must close device, which releases the TPM.
func openCredentials(c *config.Config) (credentials *hubapi.Credentials, device io.Closer, err error) {
	text, err := hubapi.ReadKeyFile(c.Hub.Key)
	if err != nil {
		return nil, nil, err
	}
	key, device, err := openDeviceKey(text, c.Hub.TPM)
	if err != nil {
		return nil, nil, fmt.Errorf("device key %s: %w", c.Hub.Key, err)
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

func openDeviceKey(text []byte, tpm string) (crypto.Signer, io.Closer, error) {
	if tpmkey.IsKeyFile(text) {
		key, err := tpmkey.Open(text, tpm)
		return key, key, err
	}
	key, err := hubapi.ParseKey(text)
	return key, io.NopCloser(nil), err
}
