package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/atomicfile"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// The files of the kiosk's own secrets in its state folder.
const (
	cardsSecret   = "cards.key"   // seals what the kiosk remembers of cards
	holdersSecret = "holders.key" // of the pseudonyms of holders, see offline.Memory
)

// localSecrets are secrets that protect what the kiosk stores about persons. They are in
// files of the state folder. If the device key is in a TPM, the TPM seals them too, so
// that a stolen SD card does not contain them.
type localSecrets struct {
	cards, holders []byte
	sealed         bool // by the TPM
}

// readLocalSecrets must run before the device key is opened, because a software TPM
// serves one connection at a time.
func readLocalSecrets(c *config.Config, log *slog.Logger) (s localSecrets, err error) {
	text, err := hubapi.ReadKeyFile(c.Hub.Key)
	if err != nil {
		return s, err
	}
	f := secretFiles{folder: c.State, log: log}
	if s.sealed = tpmkey.IsKeyFile(text); s.sealed {
		f.tpm = c.Hub.TPM
	}
	if s.cards, err = f.read(cardsSecret); err == nil {
		s.holders, err = f.read(holdersSecret)
	}
	return s, err
}

// secretFiles reads and makes the files.
type secretFiles struct {
	folder string
	tpm    string // the TPM's device, or "" without a TPM
	log    *slog.Logger
}

const secretSize = 32

// read returns the secret in a file. If the file is missing, damaged, sealed by another
// TPM, or not sealed although there is a TPM, read makes a new secret. Data that was stored
// under the old one is lost, and must not be the only copy of anything.
func (s secretFiles) read(name string) ([]byte, error) {
	path := filepath.Join(s.folder, name)
	text, err := os.ReadFile(path)
	if err == nil {
		var secret []byte
		if secret, err = s.open(text); err == nil {
			return secret, nil
		}
		if !errors.Is(err, errUnusable) {
			return nil, fmt.Errorf("cannot read secret %s: %w", path, err)
		}
		s.log.Warn("cannot use a secret of this kiosk, making a new one", "file", path, "err", err)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read secret: %w", err)
	}
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	text = secret
	if s.tpm != "" {
		if text, err = tpmkey.Seal(secret, s.tpm); err != nil {
			return nil, err
		}
	}
	if err := atomicfile.Replace(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("cannot write secret: %w", err)
	}
	return secret, nil
}

// errUnusable means that a file will never give its secret on this machine.
var errUnusable = errors.New("the secret cannot be used")

func (s secretFiles) open(text []byte) ([]byte, error) {
	if s.tpm == "" {
		if len(text) != secretSize {
			return nil, fmt.Errorf("%w: the file does not hold %d bytes", errUnusable, secretSize)
		}
		return text, nil
	}
	if !tpmkey.IsKeyFile(text) {
		return nil, fmt.Errorf("%w: the TPM has not sealed it", errUnusable)
	}
	secret, err := tpmkey.Unseal(text, s.tpm)
	if errors.Is(err, tpmkey.ErrForeign) || err == nil && len(secret) != secretSize {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	return secret, err
}
