package hub

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/protocol/sealkey"
	"smartkiosk/kiosk/protocol/trust"
)

// AddKiosk makes the bundle of a kiosk in the hub's folder and returns its path,
// dir/kiosks/ID. kioskd can start from a copy of it. It holds the kiosk's certificate and
// key, the hub's CA and public keys, the current trust domains, and kioskd.toml. Because
// the hub makes the key, this is for tests: see AddKioskOf and NewCode.
//
// The earlier certificates of a kiosk with this name end. The folder's hub may be running.
func AddKiosk(dir, id string) (bundle string, err error) {
	return addKiosk(dir, id, nil, registryOf(dir))
}

// AddKioskOf makes the bundle of a kiosk that has its own key, from its certificate
// request (PEM, RFC 2986). The bundle is that of AddKiosk without the private key. Only
// the public key of the request is used.
func AddKioskOf(dir, id string, request []byte) (bundle string, err error) {
	public, err := readRequest(request)
	if err != nil {
		return "", fmt.Errorf("cannot add kiosk %s: %w", id, err)
	}
	return addKiosk(dir, id, public, registryOf(dir))
}

func addKiosk(dir, id string, public crypto.PublicKey, in withRegistry) (bundle string, err error) {
	if err := checkTrust(dir); err != nil {
		return "", fmt.Errorf("cannot add kiosk %s: %w", id, err)
	}
	bundle, err = addClient(dir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: id}, public, in, func(to string, s settings) error {
		return writeKioskFiles(dir, to, id, s)
	})
	if err != nil {
		return "", fmt.Errorf("cannot add kiosk %s: %w", id, err)
	}
	return bundle, nil
}

// checkTrust returns an error if a hub's folder has no trust domains. Without them a kiosk
// could not accept any card.
func checkTrust(dir string) error {
	_, err := trust.Load(filepath.Join(dir, trustDir, trustFile))
	return err
}

// writeKioskFiles writes the files of a kiosk's bundle that hold no secret and no
// certificate.
func writeKioskFiles(dir, to, id string, s settings) error {
	keys, err := sealkey.ReadPrivate(filepath.Join(dir, sealFile))
	if err != nil {
		return err
	}
	if err := sealkey.WritePublic(filepath.Join(to, bundleSealFile), keys[0]); err != nil {
		return err
	}
	if err := copyPublicJWK(filepath.Join(to, bundleSignFile), filepath.Join(dir, signFile)); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(to, trustDir), 0o700); err != nil {
		return err
	}
	if err := copyTrust(filepath.Join(to, trustDir), filepath.Join(dir, trustDir, trustFile)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "kioskd.toml"), fmt.Appendf(nil, kioskTemplate, id, s.URL, offlineBeforePolicy(s.Offline.Rule)), 0o644)
}

// offlineBeforePolicy is what a kiosk may decide offline until it has its first policy.
func offlineBeforePolicy(rule hubpolicy.OfflineRule) hubpolicy.OfflineRule {
	if rule == hubpolicy.Trusted {
		return hubpolicy.Trusted
	}
	return hubpolicy.Never // the kiosk knows no holder yet
}

// AddConsumer makes the bundle of a consumer of the feed in the hub's folder and returns
// its path, dir/consumers/NAME. It holds the consumer's certificate and key, and the
// hub's CA. The earlier certificates of a consumer with this name end.
func AddConsumer(dir, name string) (bundle string, err error) {
	bundle, err = addClient(dir, hubapi.Identity{Role: hubapi.RoleConsumer, Name: name}, nil, registryOf(dir), nil)
	if err != nil {
		return "", fmt.Errorf("cannot add consumer %s: %w", name, err)
	}
	return bundle, nil
}

// AddOperator is AddConsumer for an operator, whose bundle is dir/operators/NAME.
func AddOperator(dir, name string) (bundle string, err error) {
	bundle, err = addClient(dir, hubapi.Identity{Role: hubapi.RoleOperator, Name: name}, nil, registryOf(dir), nil)
	if err != nil {
		return "", fmt.Errorf("cannot add operator %s: %w", name, err)
	}
	return bundle, nil
}

// addClient makes a client's bundle completely or not at all, and registers its
// certificate. If public is nil it also makes the client's key. more adds the files that
// the role needs besides a certificate.
func addClient(dir string, id hubapi.Identity, public crypto.PublicKey, in withRegistry, more func(to string, s settings) error) (string, error) {
	if !hubapi.ValidName(id.Name) {
		return "", errors.New("a name is 1 to 63 lower-case letters, digits and hyphens")
	}
	s, err := readSettings(dir)
	if err != nil {
		return "", err
	}
	bundles := filepath.Join(dir, bundleDirs[id.Role])
	final := filepath.Join(bundles, id.Name)
	if _, err := os.Stat(final); err == nil {
		return "", fmt.Errorf("%s already exists", final)
	}
	if err := os.MkdirAll(bundles, 0o700); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(bundles, ".new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	cert, err := writeClient(dir, temp, id, public, s.lifetime())
	if err != nil {
		return "", err
	}
	if more != nil {
		if err := more(temp, s); err != nil {
			return "", err
		}
	}
	from := fromRequest
	if public == nil {
		from = fromBundle
	}
	err = in(func(ctx context.Context, r *registry) error {
		return r.register(ctx, id, cert, from, true)
	})
	if err != nil {
		return "", err
	}
	return final, os.Rename(temp, final)
}

func writeClient(dir, to string, id hubapi.Identity, public crypto.PublicKey, lifetime time.Duration) (*x509.Certificate, error) {
	ca, err := readAuthority(dir)
	if err != nil {
		return nil, err
	}
	from := public
	if from == nil {
		key, err := newKey()
		if err != nil {
			return nil, err
		}
		if err := writeKey(filepath.Join(to, string(id.Role)+".key"), key); err != nil {
			return nil, err
		}
		from = key.Public()
	}
	cert, err := ca.client(from, time.Now(), lifetime, id)
	if err != nil {
		return nil, err
	}
	return cert, errors.Join(
		writeCertificate(filepath.Join(to, bundleCAFile), ca.cert.Raw),
		writeCertificate(filepath.Join(to, string(id.Role)+".pem"), cert.Raw),
	)
}

// Consumer reads the credentials of a consumer from the hub's folder, and the hub's URL.
func Consumer(dir, name string) (url string, c *hubapi.Credentials, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return "", nil, err
	}
	bundle := filepath.Join(dir, consumersDir, name)
	if _, err := os.Stat(bundle); !hubapi.ValidName(name) || errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("cannot find consumer %q: add it with `kioskhub consumer add`", name)
	}
	c, err = hubapi.LoadCredentials(
		filepath.Join(bundle, bundleCAFile), filepath.Join(bundle, "consumer.pem"), filepath.Join(bundle, "consumer.key"))
	if err == nil && time.Now().After(c.TLS.Certificates[0].Leaf.NotAfter) {
		err = fmt.Errorf("the certificate of consumer %s expired on %s: renew it with `kioskhub consumer renew %[1]s`", name, c.TLS.Certificates[0].Leaf.NotAfter.Format(time.DateOnly))
	}
	return s.URL, c, err
}

const kioskTemplate = `# A kiosk of smartkiosk. kioskd run reads this file; paths are relative to it.

id = %q
state = "state"
language = "nb"

[hub]
url = %q
ca = "hub-ca.pem"
certificate = "kiosk.pem"
key = "kiosk.key" # the device key, or the file of one in a TPM: kioskctl key create
seal = "hub-seal.jwk" # the key to which the kiosk seals events
sign = "hub-sign.jwk" # the key that verifies the hub's policy

[trust] # used until the hub's first policy arrives, which replaces it
domains = "trust/trust.toml"
offline = %q # or "trusted": every holder of a valid card is let in if no hub answers

[reader]
match = "" # a part of the card reader's name; "" accepts any reader

[panel]
listen = "127.0.0.1:8080" # the panel as a web page, for this machine only
# board = "board.toml"    # a panel of keypad, display and door: how it is wired
`
