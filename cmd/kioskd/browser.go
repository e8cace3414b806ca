package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"smartkiosk/device/browser"
)

func browserCommand() *cobra.Command {
	var o browser.Options
	var megabytes int64
	c := &cobra.Command{
		Use:   "browser [flags] [-- CHROMIUM [SWITCH]...]",
		Short: "Show the panel in Chromium, and the hosted pages of brokers",
		Long: `Show the panel of the running kiosk in Chromium, and the hosted pages of brokers, until
SIGTERM or SIGINT. It needs display.driver = "browser" in kioskd.toml, a graphical session,
and a user of its own, which panel.users names. Chromium starts again whenever it ends,
hangs, uses too much memory, or was used for a login.

What follows -- is the browser and further switches for it; without it, chromium.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if o.Command = args; len(args) == 0 {
				o.Command = []string{"chromium"}
			}
			if megabytes < 1 {
				return fmt.Errorf("--memory %d is not at least 1", megabytes)
			}
			o.MaxMemory = megabytes << 20
			o.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return browser.Run(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Panel, "panel", "http://127.0.0.1:8080/", "`URL` of the panel's page, as panel.listen says")
	c.Flags().StringVar(&o.Profiles, "profiles", "", "`folder` for Chromium's profile, best in memory (default: that of temporary files)")
	c.Flags().Int64Var(&megabytes, "memory", browser.DefaultMemory>>20, "`megabytes` above which Chromium starts again between visits; above twice as much, at once")
	return c
}
