//go:build linux

package main

import (
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/device/browser"
)

// browserPolicyCommand prints the managed policy of the kiosk's Chromium.
func (p program) browserPolicyCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "browser-policy",
		Short: "Print the policy that holds the kiosk's Chromium",
		Long: `Print the managed policy that holds the kiosk's Chromium to the panel's page and to
display.origins of kioskd.toml. Root installs it:

    kioskctl browser-policy > ` + browser.PolicyFile + `

Nobody can log in on hosted pages until it is there, and after a change of display.origins
until it is there again. Then restart kioskd.`,
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, err := config.Load(file)
			if err != nil {
				return err
			}
			policy, err := daemon.BrowserPolicy(c)
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(policy)
			return err
		},
	}
	c.Flags().StringVar(&file, "config", defaultConfig, "kioskd.toml, a `file`")
	return c
}
