//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/device/atomicfile"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// resetCommand ends the life of a kiosk on this machine.
func (p program) resetCommand() *cobra.Command {
	var file, export string
	c := &cobra.Command{
		Use:   "reset",
		Short: "Delete the kiosk's keys, settings and events from this machine",
		Long: `Make this machine a machine without a kiosk: for a factory reset, or before it leaves
the house. kioskd must be stopped.

First the events that the hub lacks are sent to the hub. If that fails, the command ends,
unless --export names a file that the sealed events are saved to; hand them in later
with "kioskctl events deliver". Then it asks, prints a proof, and deletes the key, the
certificate, the settings and the state. An SD card may keep copies of deleted data that
only its destruction removes; the events on it are sealed.

The hub ends the kiosk's certificate, and signs a receipt. If it cannot be reached, the
operator must do that: "kioskhub kiosk remove KIOSK". The proof and the receipt are JWS,
signed by the kiosk's key and by the hub's. They are printed; keep them.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.reset(c.Context(), file, export) },
	}
	c.Flags().StringVar(&file, "config", defaultConfig, "kioskd.toml, a `file`; everything in its folder is deleted")
	c.Flags().StringVar(&export, "export", "", "`file` for the events if the hub cannot be reached")
	return c
}

// resetProof says what was deleted.
type resetProof struct {
	Kiosk       string    `json:"kiosk"`
	Time        time.Time `json:"time"`
	Certificate string    `json:"certificate"`        // SHA-256 of the certificate (DER), in hex
	Events      int       `json:"events"`             // in the outbox
	Delivered   bool      `json:"delivered"`          // the hub has all events
	Exported    string    `json:"exported,omitempty"` // SHA-256 of the file with the events, in hex
	Revoked     bool      `json:"revoked"`            // the hub has ended the kiosk's certificates
}

func (p program) reset(ctx context.Context, file, export string) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	if conn, err := net.Dial("unix", filepath.Join(c.State, "kioskd.sock")); err == nil {
		_ = conn.Close()
		return errors.New("cannot reset: kioskd runs: stop it first (systemctl stop kioskd)")
	}
	credentials, device, err := daemon.OpenCredentials(c)
	if err != nil {
		return fmt.Errorf("cannot reset: %w", err)
	}
	defer device.Close()
	leaf := credentials.TLS.Certificates[0]
	proof := resetProof{Kiosk: c.ID, Time: p.machine.now().UTC().Truncate(time.Second), Certificate: fmt.Sprintf("%x", sha256.Sum256(leaf.Certificate[0]))}
	if err := p.saveEvents(ctx, c, file, export, &proof); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "This deletes the key, the settings and the events of kiosk %s.\n", c.ID)
	answer, err := p.askLine(ctx, "Type its name")
	if err != nil || answer != c.ID {
		return errors.New("nothing was deleted")
	}
	receipt, err := retire(ctx, c, credentials)
	proof.Revoked = err == nil
	if err != nil {
		fmt.Fprintf(p.stderr, "The kiosk's certificate is still valid: %v\n", err)
	}
	payload, err := json.Marshal(proof)
	if err != nil {
		return err
	}
	text, err := signProof(payload, leaf.PrivateKey)
	if err != nil {
		return fmt.Errorf("cannot sign the proof: %w", err)
	}
	for _, folder := range []string{filepath.Dir(file), c.State} {
		if err := wipeFolder(folder); err != nil {
			return fmt.Errorf("cannot delete what is in %s: %w", folder, err)
		}
	}
	fmt.Fprintf(p.stdout, "%s\n%s\n", payload, text)
	if proof.Revoked {
		_, err = fmt.Fprintf(p.stdout, "The hub's receipt: the certificate has ended.\n%s\n", receipt)
	} else {
		_, err = fmt.Fprintf(p.stdout, "Tell the operator: kioskhub kiosk remove %s\n", c.ID)
	}
	return err
}

// retireTime bounds how long the hub may take to end the certificates.
const retireTime = 30 * time.Second

// retire has the hub end the kiosk's certificates, and returns the hub's receipt.
func retire(ctx context.Context, c *config.Config, credentials *hubapi.Credentials) (receipt string, err error) {
	ctx, cancel := context.WithTimeout(ctx, retireTime)
	defer cancel()
	if receipt, err = hubapi.NewClient(c.Hub.URL, credentials.TLS).Retire(ctx); err != nil {
		return "", err
	}
	text, err := os.ReadFile(c.Hub.Sign)
	var key jose.JSONWebKey
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err == nil {
		_, err = hubpolicy.VerifyRetirement(receipt, c.ID, key.Key)
	}
	return receipt, err
}

// saveEvents makes sure that no event is lost: the hub has it, or it is in the file export.
func (p program) saveEvents(ctx context.Context, c *config.Config, file, export string, proof *resetProof) error {
	outbox := filepath.Join(c.State, "outbox.db")
	if _, err := os.Stat(outbox); errors.Is(err, fs.ErrNotExist) {
		proof.Delivered = true
		return nil
	}
	waiting := 0
	s, err := outboxFile(outbox).each(ctx, func(e sealed) error {
		proof.Events++
		if e.state == state(1, 0) {
			waiting++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read the events: %w", err)
	}
	if waiting == 0 && s.damage == nil && len(s.lost) == 0 {
		proof.Delivered = true
		return nil
	}
	_, err = p.deliver(ctx, outbox, file)
	if err == nil {
		proof.Delivered = true
		return nil
	}
	if export == "" {
		return fmt.Errorf("cannot reset: %d events wait, and the hub does not have them: %w; --export FILE saves them", waiting, err)
	}
	to, err := os.OpenFile(export, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot save the events: %w", err)
	}
	sum := sha256.New()
	q := p
	q.stdout = io.MultiWriter(to, sum)
	err = q.export(ctx, outboxFile(outbox))
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return fmt.Errorf("cannot save the events: %w", err)
	}
	proof.Exported = fmt.Sprintf("%x", sum.Sum(nil))
	return nil
}

func signProof(payload []byte, key crypto.PrivateKey) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(key.(crypto.Signer))}, nil)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// wipeFolder overwrites and deletes what is in a folder. The folder itself stays, because
// it may be a mount point, and so do links, which belong to the package. Keys go last.
func wipeFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the state may have been in the folder of kioskd.toml
	}
	if err != nil {
		return err
	}
	last := func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".key") || e.Name() == "kioskd.toml" }
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Compare(fmt.Sprint(last(a)), fmt.Sprint(last(b)))
	})
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			continue
		}
		if e.IsDir() {
			if err := wipeFolder(path); err != nil {
				return err
			}
		} else if e.Type().IsRegular() {
			if err := overwrite(path); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return atomicfile.SyncFolder(folder)
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, zeros{}, info.Size())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// zeros reads as zeros for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
