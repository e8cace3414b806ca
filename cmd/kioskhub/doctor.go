package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/checkup"
	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) doctorCommand() *cobra.Command {
	var dir string
	var wait time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor KIOSK",
		Short: "Ask a kiosk what is wrong with it",
		Long: `Ask a kiosk what is wrong with it, and print the report of its doctor, which is that of
"kioskctl doctor" at the kiosk. The question is in the kiosk's policy, so it takes up to
ask_every (hub.toml, 15 minutes by default) until the kiosk sees it.

Exit status: 1 if a check failed, or if the kiosk does not answer.`,
		Args: cli.Args("KIOSK"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), wait)
			defer cancel()
			text, err := hub.AskKiosk(ctx, dir, args[0])
			if err != nil {
				return err
			}
			report, err := checkup.Read(text)
			if err != nil {
				return err
			}
			if asJSON {
				err = p.printJSON(report)
			} else {
				fmt.Fprintf(p.stdout, "%s, %s\n", report.Kiosk, date(report.Time))
				report.Print(p.stdout)
			}
			if err == nil && report.Failed() {
				return cli.ErrNo
			}
			return err
		},
	}
	dirFlag(c, &dir)
	c.Flags().DurationVar(&wait, "wait", 20*time.Minute, "longest `time` to wait for the answer")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}
