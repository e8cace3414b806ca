package hub

import (
	"fmt"
	"os"
	"path/filepath"

	"smartkiosk/kiosk/protocol/trust"
)

// copyTrust copies a trust configuration, given as its file or its folder, and the files
// that it names. Other files in that folder are not copied.
func copyTrust(to, from string) error {
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		from = filepath.Join(from, trustFile)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("cannot read trust configuration: %w", err)
	}
	names, err := trust.Files(from)
	if err != nil {
		return err
	}
	files := map[string][]byte{trustFile: text}
	for _, name := range names {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("cannot copy trust configuration %s: it names %q, which is outside its folder", from, name)
		}
		if files[name], err = os.ReadFile(filepath.Join(filepath.Dir(from), name)); err != nil {
			return fmt.Errorf("cannot copy trust configuration %s: %w", from, err)
		}
	}
	for name, data := range files {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// trustTemplate is the trust.toml of a new hub, for Buypass Smartkort.
const trustTemplate = `# Which cards are accepted. The hub does not start, and kiosks cannot be added,
# before this file names a trust domain and its CA files are in this folder.
#
# For Buypass Smartkorts, from https://www.buypass.no (CA certificates):
#   - the root         Buypass Class 3 Root CA G2 HT    as BPCl3RootCaG2HT.cer
#   - the issuing CA   Buypass Class 3 CA G2 HT Person  as BPCl3CaG2HTPS.cer
# Compare their fingerprints with those that Buypass publishes, put them into
# this folder and remove the # in the lines below. The template sets the
# policies, the OCSP responder, and the URL of the CRL that kiosks need offline.

#[[domain]]
#template = "buypass"
`
