//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/device/rauc"
	"smartkiosk/kiosk/update"
)

func (p program) updateCommand() *cobra.Command {
	return cli.Group("update", "Look after updates of the kiosk's system", "", p.updateFallbackCommand(rauc.Client{}))
}

// fallbackCommand goes back to the former system when the new kioskd cannot do that itself.
func (p program) updateFallbackCommand(by daemon.Installer) *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "fallback",
		Short: "Go back to the system before an update that is on trial",
		Long: `Go back to the system before an update, and restart the machine, if the new system is
still on trial. kioskd decides about the trial within 30 minutes; the image runs this
command after 45 minutes, in case the new kioskd does not even start. Otherwise the
command does nothing. It needs root.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.fallBack(c.Context(), state, by) },
	}
	c.Flags().StringVar(&state, "state", filepath.Dir(defaultSocket), "`folder` of the kiosk's state")
	return c
}

func (p program) fallBack(ctx context.Context, state string, by daemon.Installer) error {
	trial := filepath.Join(state, daemon.UpdateDir, update.TrialFile)
	from, err := os.ReadFile(trial)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintln(p.stdout, "No system is on trial.")
		return err
	}
	if err != nil {
		return err
	}
	_, slot, _, err := by.Status(ctx)
	if err != nil {
		return err
	}
	if slot == string(from) {
		_, err = fmt.Fprintf(p.stdout, "The machine runs its former system, from %s.\n", slot)
		return err
	}
	if err := by.FallBack(ctx); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "The machine restarts from %s.\n", from)
	return by.Restart(ctx)
}
