// Package enrol gets a kiosk's certificate from the hub with a one-time code, and writes
// the files that kioskd needs.
package enrol

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/atomicfile"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// Values of Request.TPM that are not a device.
const (
	TPMAuto = "auto" // the default device if there is one
	TPMOff  = "off"  // the key is in a file
)

// Request says which kiosk enrols where.
type Request struct {
	Hub    string   // https://host[:port]
	Code   est.Code // the caller wipes the secret
	Dir    string   // folder of kioskd.toml
	TPM    string   // device of the TPM that makes a new key, TPMAuto or TPMOff
	NewKey bool     // make a new key although there is one
}

// Result is what Do has done.
type Result struct {
	Certificate *x509.Certificate
	Fresh       bool   // the folder had no kioskd.toml
	Key         string // where the key is: a file, or "the TPM"
	Config      string // path of kioskd.toml
}

// OtherKioskError says that a code is for another kiosk than the folder's.
type OtherKioskError struct{ Code, Config, Kiosk string }

func (e *OtherKioskError) Error() string {
	return fmt.Sprintf("cannot enrol: the code is for kiosk %s, but %s is for %s", e.Code, e.Config, e.Kiosk)
}

// Do enrols a kiosk. In a folder without kioskd.toml it makes a key and writes all files;
// kioskd.toml comes last. In a folder with kioskd.toml it replaces the certificate only.
// After a failure or a power cut, Do can be called again with the same code: it finds the
// same key, and the hub lets the same key use the code for an hour.
func Do(ctx context.Context, r Request) (Result, error) {
	k, err := findKiosk(r)
	if err != nil {
		return Result{}, err
	}
	key, made, err := k.openKey()
	if err != nil {
		return Result{}, err
	}
	defer key.closer.Close()
	cert, ca, err := requestCertificate(ctx, r.Hub, r.Code, key.signer)
	if err != nil {
		return Result{}, err
	}
	client := hubapi.NewClient(r.Hub, tlsConfig(ca, cert, key.signer))
	if err := k.write(ctx, client, cert, ca, made); err != nil {
		return Result{}, fmt.Errorf("cannot write what the hub answered: %w; run the command again with the same code", err)
	}
	return Result{Certificate: cert, Fresh: k.fresh, Key: key.where, Config: k.config}, nil
}

// kioskFiles are the files of a kiosk that enrolment reads and writes.
type kioskFiles struct {
	folder, config        string
	key, certificate, ca  string
	tpm                   string // device of a key that is made, or ""
	opens                 string // device of a key that exists
	fresh, newKey, setTPM bool
}

// findKiosk reads the kioskd.toml of a kiosk that exists, or says where to put a new one.
func findKiosk(e Request) (k kioskFiles, err error) {
	if k.tpm = e.TPM; e.TPM == TPMAuto {
		k.tpm = ""
		if _, err := os.Stat(tpmkey.DefaultDevice); err == nil {
			k.tpm = tpmkey.DefaultDevice
		}
	}
	if e.TPM == TPMOff {
		k.tpm = ""
	}
	k.folder, k.config, k.newKey = e.Dir, filepath.Join(e.Dir, "kioskd.toml"), e.NewKey
	if _, err := os.Stat(k.config); errors.Is(err, fs.ErrNotExist) {
		k.fresh, k.opens, k.setTPM = true, k.tpm, k.tpm != "" && k.tpm != tpmkey.DefaultDevice
		k.key, k.certificate, k.ca = filepath.Join(e.Dir, "kiosk.key"), filepath.Join(e.Dir, "kiosk.pem"), filepath.Join(e.Dir, "hub-ca.pem")
		return k, os.MkdirAll(e.Dir, 0o700)
	}
	c, err := config.Load(k.config)
	if err != nil {
		return k, err
	}
	if c.ID != e.Code.Kiosk {
		return k, &OtherKioskError{e.Code.Kiosk, k.config, c.ID}
	}
	k.key, k.certificate, k.ca, k.opens = c.Hub.Key, c.Hub.Certificate, c.Hub.CA, c.Hub.TPM
	if k.tpm != "" {
		k.tpm = c.Hub.TPM
	}
	return k, nil
}

// openedKey is the kiosk's key.
type openedKey struct {
	signer crypto.Signer
	closer io.Closer
	where  string
}

// openKey opens the kiosk's key. If it does not exist, or a new one is wanted, it makes one in a
// file next to the final one; made is the name of that file. A second attempt finds it there,
// and so has the key for which the code was used.
func (k kioskFiles) openKey() (key openedKey, made string, err error) {
	path := k.key
	if _, err := os.Stat(path); k.newKey || errors.Is(err, fs.ErrNotExist) {
		path, made = k.key+".new", k.key+".new"
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := makeKey(path, k.tpm); err != nil {
				return key, "", err
			}
		}
	}
	if key.signer, key.closer, err = devicekey.Open(path, k.opens); err != nil {
		return key, "", err
	}
	key.where = k.key
	if _, ok := key.signer.(*tpmkey.Key); ok {
		key.where = "the TPM"
	}
	return key, made, nil
}

// makeKey makes a key completely or not at all: after a power cut there is no half key
// with which the kiosk could never enrol.
func makeKey(path, tpm string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot write key: %w", err)
	}
	if err := devicekey.Create(part, tpm); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("cannot write key: %w", err)
	}
	return atomicfile.SyncFolder(filepath.Dir(path))
}

// requestCertificate enrols. The secret of the code is sent only to the hub that the code
// pins.
func requestCertificate(ctx context.Context, base string, code est.Code, key crypto.Signer) (cert, ca *x509.Certificate, err error) {
	request, err := est.NewRequest(hubapi.Identity{Role: hubapi.RoleKiosk, Name: code.Kiosk}, key)
	if err != nil {
		return nil, nil, err
	}
	if ca, err = est.CA(ctx, base, code); err != nil {
		return nil, nil, err
	}
	cert, err = est.Enrol(ctx, base, ca, code, request)
	return cert, ca, err
}

func tlsConfig(ca, cert *x509.Certificate, key crypto.Signer) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}},
	}
}

// write writes the certificate and, for a new kiosk, the files that kioskd needs.
// kioskd.toml comes last, because a folder with it counts as a kiosk.
func (k kioskFiles) write(ctx context.Context, client *hubapi.Client, cert, ca *x509.Certificate, made string) error {
	var settings []byte
	if k.fresh {
		files, err := client.Setup(ctx)
		if err == nil {
			settings, err = unpack(files, k.folder)
		}
		if err != nil {
			return err
		}
	}
	if made != "" {
		if err := os.Rename(made, k.key); err != nil {
			return err
		}
	}
	if err := atomicfile.Replace(k.ca, certificatePEM(ca), 0o644); err != nil {
		return err
	}
	if err := atomicfile.Replace(k.certificate, certificatePEM(cert), 0o644); err != nil {
		return err
	}
	if !k.fresh {
		return nil
	}
	if k.setTPM {
		before := []byte("\nkey = \"kiosk.key\"")
		settings = bytes.Replace(settings, before, fmt.Appendf(nil, "\ntpm = %q%s", k.tpm, before), 1)
	}
	return atomicfile.Replace(k.config, settings, 0o644)
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// unpack writes the files of a tar archive into a folder, except those that exist. It
// returns kioskd.toml, which it does not write.
func unpack(files []byte, folder string) (settings []byte, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	archive := tar.NewReader(bytes.NewReader(files))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the hub's archive: %w", err)
		}
		name := filepath.Clean(h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := root.MkdirAll(name, 0o700); err != nil {
				return nil, err
			}
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("cannot read the hub's archive: %s is not a file", name)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("cannot read the hub's archive: %w", err)
		}
		if name == "kioskd.toml" {
			settings = text
			continue
		}
		if err := writeOnce(root, name, text); err != nil {
			return nil, err
		}
	}
	if settings == nil {
		return nil, errors.New("the hub's archive has no kioskd.toml")
	}
	return settings, nil
}

// writeOnce writes a file below a folder, completely or not at all, unless it exists.
func writeOnce(root *os.Root, name string, text []byte) error {
	if _, err := root.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := name + ".part"
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return root.Rename(part, name)
}
