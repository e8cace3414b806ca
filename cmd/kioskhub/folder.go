package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

const defaultListen = "127.0.0.1:8443"

func (p program) initCommand() *cobra.Command {
	var o hub.InitOptions
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a hub's folder: CA, certificate, keys, hub.toml, trust/",
		Args:  cli.Args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.URL == "" {
				o.URL = "https://" + o.Listen
			}
			return p.init(args[0], o)
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", defaultListen, "`host:port` to serve on")
	c.Flags().StringVar(&o.URL, "url", "", "`URL` that kiosks call and cards sign for (default https:// and the address of --listen)")
	c.Flags().StringVar(&o.Trust, "trust", "", "copy the trust domains from this `file` (trust.toml) or its folder")
	return c
}

func (p program) init(dir string, o hub.InitOptions) error {
	if err := hub.Init(dir, o); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s is a hub now. Next:\n", dir)
	if o.Trust == "" {
		fmt.Fprintf(p.stdout, "  put the CA files of the cards to trust into %s,\n  and name them in trust.toml there, which says how\n", filepath.Join(dir, "trust"))
	}
	fmt.Fprintf(p.stdout, "  kioskhub serve --dir %s\n  kioskhub codes new --dir %[1]s KIOSK\n", dir)
	return nil
}

func (p program) kioskAddCommand() *cobra.Command {
	var dir, request string
	var testKey bool
	c := &cobra.Command{
		Use:   "add ID --csr FILE",
		Short: "Make the bundle of a kiosk that has a key: certificate, trust, kioskd.toml",
		Long: `Make the bundle of a kiosk that has made its own key, and print where it is. The
bundle is a folder with the kiosk's certificate, the hub's public keys, trust and
kioskd.toml. Earlier certificates of a kiosk with this name end at once.

"kioskhub codes new ID" is simpler where the kiosk can reach the hub: the kiosk then
makes its key and gets all this by itself.

--test-key is for tests only. The hub makes the key, and it is in the bundle: whoever
has read the bundle can act as the kiosk.`,
		Args: cli.Args("ID"),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case testKey && request != "":
				return cli.Usagef("--csr and --test-key exclude each other")
			case testKey:
				return p.printBundle(hub.AddKiosk(dir, args[0]))
			case request == "":
				return cli.Usagef("--csr is missing: the kiosk makes its key, and enrols with a code that \"kioskhub codes new %s\" prints", args[0])
			}
			text, err := os.ReadFile(request)
			if err != nil {
				return fmt.Errorf("cannot read certificate request: %w", err)
			}
			return p.printBundle(hub.AddKioskOf(dir, args[0], text))
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&request, "csr", "", "the `file` with the kiosk's certificate request (PEM), which kioskctl key create prints")
	c.Flags().BoolVar(&testKey, "test-key", false, "make a key for the kiosk, for tests only")
	return c
}
