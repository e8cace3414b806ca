//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/kiosk/protocol/hubapi"
)

// statusCommand shows the identity of a running kioskd.
func (p program) statusCommand() *cobra.Command {
	var from string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the kiosk's certificate, when it ends and when it is renewed",
		Long: `Show the certificate with which the kiosk authenticates to the hub, when it ends and
when kioskd renews it, and whether a second machine uses the same identity.

The panel shows a mark in its corner: c and a number if the certificate ends in so
many days, x2 if there is a second machine.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.status(c.Context(), from, asJSON) },
	}
	c.Flags().StringVar(&from, "from", defaultSocket, "`socket` of the running kioskd")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}

func (p program) status(ctx context.Context, socket string, asJSON bool) error {
	body, err := askKioskd(ctx, socket, http.MethodGet, "/v1/identity", nil)
	var i devicekey.Status
	if err == nil {
		err = json.Unmarshal(body, &i)
	}
	if err != nil {
		return fmt.Errorf("cannot read the state of %s: %w", socket, err)
	}
	if asJSON {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		return e.Encode(i)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "kiosk\t%s\n", i.Kiosk)
	fmt.Fprintf(w, "hub\t%s\n", i.Hub)
	fmt.Fprintf(w, "certificate\t%s\n", ending(i, time.Now()))
	fmt.Fprintf(w, "renewal\t%s\n", renewal(i))
	if i.Twin != "" {
		fmt.Fprintf(w, "second machine\t%s uses the identity of this kiosk\n", i.Twin)
	}
	if i.Mark != "" {
		fmt.Fprintf(w, "mark on panel\t%s\n", i.Mark)
	}
	return w.Flush()
}

func ending(i devicekey.Status, now time.Time) string {
	until := i.NotAfter.UTC().Format(time.RFC3339)
	left := i.NotAfter.Sub(now)
	switch {
	case left <= 0:
		return until + ", expired: enrol the kiosk again with a code (kioskctl enrol)"
	case left < hubapi.EndingSoon:
		return fmt.Sprintf("%s, in %d days", until, left/(24*time.Hour))
	}
	return until
}

func renewal(i devicekey.Status) string {
	if i.Failure != "" {
		return "failed, is tried again: " + i.Failure
	}
	return i.RenewAt.UTC().Format(time.RFC3339)
}
