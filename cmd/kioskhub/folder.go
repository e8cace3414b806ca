package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"smartkiosk/kiosk/hub"
)

const defaultListen = "127.0.0.1:8443"

func (m *Main) parseInit(name string, args []string) error {
	fs := m.flags(name, " DIR")
	var o hub.InitOptions
	fs.StringVar(&o.Listen, "listen", defaultListen, "`host:port` to serve on")
	fs.StringVar(&o.URL, "url", "", "URL that kiosks call, the origin that cards sign for (default https:// and --listen)")
	fs.StringVar(&o.Trust, "trust", "", "copy trust domains from this `file` (trust.toml) or its folder")
	dir, err := arguments(fs, args, "DIR")
	if err != nil {
		return err
	}
	if o.URL == "" {
		o.URL = "https://" + o.Listen
	}
	m.run = func(context.Context) error { return m.init(dir[0], o) }
	return nil
}

func (m *Main) init(dir string, o hub.InitOptions) error {
	if err := hub.Init(dir, o); err != nil {
		return err
	}
	fmt.Fprintf(m.stdout, "%s is a hub now. Next:\n", dir)
	if o.Trust == "" {
		fmt.Fprintf(m.stdout, "  put the CA files of the cards to trust into %s,\n  and name them in trust.toml there, which says how\n", filepath.Join(dir, "trust"))
	}
	fmt.Fprintf(m.stdout, "  kioskhub serve --dir %s\n  kioskhub kiosk add --dir %[1]s ID\n", dir)
	return nil
}

func (m *Main) parseKioskAdd(name string, args []string) error {
	fs := m.flags(name, " ID")
	request := fs.String("csr", "", "the kiosk has its own key: certificate request (PEM) in this `file`, by kioskctl key create")
	return m.parseAdd(fs, "ID", args, func(dir, id string) (string, error) {
		if *request == "" {
			return hub.AddKiosk(dir, id)
		}
		text, err := os.ReadFile(*request)
		if err != nil {
			return "", fmt.Errorf("cannot read certificate request: %w", err)
		}
		return hub.AddKioskOf(dir, id, text)
	})
}

func (m *Main) parseConsumerAdd(name string, args []string) error {
	return m.parseAdd(m.flags(name, " NAME"), "NAME", args, hub.AddConsumer)
}

// parseAdd is of the commands that make a bundle and print where.
func (m *Main) parseAdd(fs *flag.FlagSet, what string, args []string, add func(dir, name string) (bundle string, err error)) error {
	dir := dirFlag(fs)
	rest, err := arguments(fs, args, what)
	if err != nil {
		return err
	}
	m.run = func(context.Context) error {
		bundle, err := add(*dir, rest[0])
		if err == nil {
			fmt.Fprintln(m.stdout, bundle)
		}
		return err
	}
	return nil
}
