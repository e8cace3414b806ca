//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/enrol"
	"smartkiosk/device/tpmkey"
	"smartkiosk/kiosk/protocol/est"
)

// enrolment holds the flags of enrol.
type enrolment struct {
	hub, code, dir, tpm string
	newKey              bool
}

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
	f.StringVar(&e.tpm, "tpm", enrol.TPMAuto, "`device` of the TPM that makes a new key; auto is "+tpmkey.DefaultDevice+" if there is one, off makes a key in a file")
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
	r, err := enrol.Do(ctx, enrol.Request{Hub: e.hub, Code: code, Dir: e.dir, TPM: e.tpm, NewKey: e.newKey})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Kiosk %s is enrolled. Its certificate is valid until %s; kioskd renews it.\n", code.Kiosk, r.Certificate.NotAfter.UTC().Format(time.DateOnly))
	if r.Fresh {
		fmt.Fprintf(p.stdout, "The key is in %s.\nAdapt %s, then start kioskd.\n", r.Key, r.Config)
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
