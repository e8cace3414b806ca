package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) urlCommand() *cobra.Command {
	return cli.Group("url", "Change the address under which kiosks call the hub", "", p.urlSetCommand())
}

func (p program) urlSetCommand() *cobra.Command {
	var dir string
	var forget bool
	c := &cobra.Command{
		Use:   "set URL",
		Short: "Change the URL under which kiosks call the hub",
		Long: `Change the URL under which kiosks call the hub, and issue a certificate of the hub
for it. The hub's certificate covers the earlier URLs too, and cards that sign for
them are accepted, so kiosks that still use them go on. The command lists those
kiosks. When they use the new URL (hub.url in their kioskd.toml), run it again with
--forget.

Afterwards start the hub again.`,
		Args: cli.Args("URL"),
		RunE: func(_ *cobra.Command, args []string) error { return p.setURL(dir, args[0], forget) },
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&forget, "forget", false, "stop to accept the earlier URLs")
	return c
}

func (p program) setURL(dir, url string, forget bool) error {
	done, err := hub.SetURL(dir, url, forget)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "The URL is %s now. The hub's certificate covers %s.\n", url, strings.Join(done.Hosts, ", "))
	if len(done.Behind) > 0 {
		fmt.Fprintf(p.stdout, "These kiosks have not called this URL yet: %s\n", strings.Join(done.Behind, " "))
		if forget {
			fmt.Fprintln(p.stdout, "They can no longer reach the hub: change hub.url in their kioskd.toml.")
		} else {
			fmt.Fprintf(p.stdout, "Change hub.url in their kioskd.toml. Then:\n  kioskhub url set --dir %s --forget %s\n", dir, url)
		}
	}
	fmt.Fprintln(p.stdout, "Start the hub again.")
	return nil
}
