package main

import (
	"archive/tar"
	"bufio"
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
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/atomicfile"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// enrolment holds the flags of enrol.
type enrolment struct {
	hub, code, dir, tpm string
	newKey              bool
}

// Values of --tpm that are not a device.
const (
	tpmAuto = "auto"
	tpmOff  = "off"
)

func (p program) enrolCommand() *cobra.Command {
	var e enrolment
	c := &cobra.Command{
		Use:   "enrol --hub URL",
		Short: "Get a certificate for this kiosk with a one-time code",
		Long: `Get a certificate for this kiosk with a one-time code, which the operator makes by
"kioskhub codes new KIOSK". The code also says which hub to trust.

In a folder without kioskd.toml the command makes a key and writes all that kioskd
needs. In a folder with kioskd.toml, for example if the certificate has expired, it
keeps the key, the settings and the events that wait, and replaces the certificate
only. A kiosk that was removed at the hub needs --new-key.

If the command fails, run it again with the same code: the same key may use the code
for an hour.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.enrol(c.Context(), e) },
	}
	f := c.Flags()
	f.StringVar(&e.hub, "hub", "", "`URL` of the hub, https://host[:port]")
	f.StringVar(&e.code, "code", "", "the `code`; without it the command asks")
	f.StringVar(&e.dir, "dir", ".", "`folder` of kioskd.toml")
	f.StringVar(&e.tpm, "tpm", tpmAuto, "`device` of the TPM that makes a new key; auto is "+tpmkey.DefaultDevice+" if there is one, off makes a key in a file")
	f.BoolVar(&e.newKey, "new-key", false, "make a new key although there is one")
	return c
}

func (p program) enrol(ctx context.Context, e enrolment) error {
	u, err := url.Parse(e.hub)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.TrimSuffix(e.hub, "/") != "https://"+u.Host {
		return cli.Usagef("--hub %q is not https://host[:port]", e.hub)
	}
	e.hub = "https://" + u.Host
	if e.code == "" {
		if e.code, err = p.askLine(ctx, "Code"); err != nil {
			return err
		}
	}
	code, err := est.ParseCode(e.code)
	if err != nil {
		return err
	}
	defer code.Secret.Wipe()
	k, err := findKiosk(e, code.Kiosk)
	if err != nil {
		return err
	}
	key, made, err := k.openKey()
	if err != nil {
		return err
	}
	defer key.closer.Close()
	cert, ca, err := requestCertificate(ctx, e.hub, code, key.signer)
	if err != nil {
		return err
	}
	client := hubapi.NewClient(e.hub, tlsConfig(ca, cert, key.signer))
	if err := k.write(ctx, client, cert, ca, made); err != nil {
		return fmt.Errorf("cannot write what the hub answered: %w; run the command again with the same code", err)
	}
	fmt.Fprintf(p.stdout, "Kiosk %s is enrolled. Its certificate is valid until %s; kioskd renews it.\n", code.Kiosk, cert.NotAfter.UTC().Format(time.DateOnly))
	if k.fresh {
		fmt.Fprintf(p.stdout, "The key is in %s.\nAdapt %s, then start kioskd.\n", key.where, k.config)
	} else {
		fmt.Fprintln(p.stdout, "Start kioskd again if it runs.")
	}
	return nil
}

// askLine asks for a line on standard input. At a terminal it shows what is typed.
func (p program) askLine(ctx context.Context, what string) (string, error) {
	if f, ok := p.stdin.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			fmt.Fprintf(p.stderr, "%s: ", what)
		}
	}
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReaderSize(p.stdin, 256).ReadString('\n')
		typed <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case a := <-typed:
		if a.line == "" {
			return "", cli.Usagef("--code is missing")
		}
		return a.line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("cannot read the code: %w", ctx.Err())
	}
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
func findKiosk(e enrolment, id string) (k kioskFiles, err error) {
	if k.tpm = e.tpm; e.tpm == tpmAuto {
		k.tpm = ""
		if _, err := os.Stat(tpmkey.DefaultDevice); err == nil {
			k.tpm = tpmkey.DefaultDevice
		}
	}
	if e.tpm == tpmOff {
		k.tpm = ""
	}
	k.folder, k.config, k.newKey = e.dir, filepath.Join(e.dir, "kioskd.toml"), e.newKey
	if _, err := os.Stat(k.config); errors.Is(err, fs.ErrNotExist) {
		k.fresh, k.opens, k.setTPM = true, k.tpm, k.tpm != "" && k.tpm != tpmkey.DefaultDevice
		k.key, k.certificate, k.ca = filepath.Join(e.dir, "kiosk.key"), filepath.Join(e.dir, "kiosk.pem"), filepath.Join(e.dir, "hub-ca.pem")
		return k, os.MkdirAll(e.dir, 0o700)
	}
	c, err := config.Load(k.config)
	if err != nil {
		return k, err
	}
	if c.ID != id {
		return k, fmt.Errorf("cannot enrol: the code is for kiosk %s, but %s is for %s", id, k.config, c.ID)
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
			if err := devicekey.Create(path, k.tpm); err != nil {
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

// writeOnce writes a file below a folder unless it exists.
func writeOnce(root *os.Root, name string, text []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
