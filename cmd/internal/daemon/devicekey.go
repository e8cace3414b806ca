package daemon

import (
	"crypto"
	"fmt"
	"io"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// openCredentials reads who the kiosk is. Its key is in the file of the
// configuration, or in a TPM which that file is for; device lets it go.
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
