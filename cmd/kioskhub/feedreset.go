package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) feedResetCommand() *cobra.Command {
	var dir, to string
	c := &cobra.Command{
		Use:   "reset NAME",
		Short: "Decide where a consumer reads on",
		Long: `Move the cursor of the consumer NAME, and print what that skips or repeats. The hub
may be running; stop the consumer first, because its next acknowledgement could move
the cursor on. The name ` + hub.ReviewsReader + ` stands for the hub's own reviews of offline visits.

The feed answers 409 (rolled-back) if the stream of events was restored, damaged or
created again behind a consumer's cursor. It skips nothing by itself, so one of these
is needed:

  --to start    all events that the hub has; the consumer ignores those that it knows
  --to TIME     what the hub stored since then, such as 2026-11-29T12:00:00Z
  --to CURSOR   what comes after a cursor of this stream
  --to end      only what comes from now on`,
		Args: cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error { return p.resetFeed(dir, args[0], to) },
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&to, "to", "", "the `place`: start, end, a time or a cursor")
	_ = c.MarkFlagRequired("to")
	return c
}

func (p program) resetFeed(dir, name, to string) error {
	done, err := hub.ResetFeed(dir, name, to)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "The cursor of %s was %s and is %s. %d messages come from there.\n", name, done.Before, done.After, done.Left)
	switch {
	case !done.Known:
		fmt.Fprintln(p.stdout, "The cursor before did not belong to this stream, so it is not known what is skipped or comes again.")
	case done.Skipped > 0:
		fmt.Fprintf(p.stdout, "%d messages are skipped. To undo that: kioskhub feed reset %s --to %s\n", done.Skipped, name, done.Before)
	case done.Repeated > 0:
		fmt.Fprintf(p.stdout, "%d messages come again.\n", done.Repeated)
	}
	return nil
}
