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
	c := &cobra.Command{
		Use:   "add ID",
		Short: "Make a kiosk's bundle: certificate, keys, trust, kioskd.toml",
		Long: `Make the bundle of a new kiosk, a folder with its certificate, keys, trust and
kioskd.toml, and print where it is. Earlier certificates of a kiosk with this name
end at once.

Without --csr the hub makes the kiosk's private key too, which is for demos and
tests only: whoever has read the bundle can act as the kiosk. A real kiosk makes its
own key and enrols with a one-time code: "kioskhub codes new ID".`,
		Args: cli.Args("ID"),
		RunE: func(_ *cobra.Command, args []string) error {
			if request == "" {
				bundle, err := hub.AddKiosk(dir, args[0])
				if err == nil {
					fmt.Fprintln(p.stderr, "The bundle holds the kiosk's private key. It is for demos and tests; for a real kiosk use kioskhub codes new.")
				}
				return p.printBundle(bundle, err)
			}
			text, err := os.ReadFile(request)
			if err != nil {
				return fmt.Errorf("cannot read certificate request: %w", err)
			}
			return p.printBundle(hub.AddKioskOf(dir, args[0], text))
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&request, "csr", "", "the kiosk has a key of its own: the `file` with its certificate request (PEM), made by kioskctl key create")
	return c
}
