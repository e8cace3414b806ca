package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/kioskhub/internal/fleet"
)

func (p program) simulateCommand() *cobra.Command {
	var plan fleet.Plan
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Simulate a fleet of kiosks against a new hub on this machine",
		Long: `Start a new hub in a temporary folder and a fleet of simulated kiosks, each with its
own key and a visitor with a test card. Print rates, latencies and errors, and check
at the end that the feed has every event once and in order.

The kiosks run in this process and use its processor time: they sign as the cards
and as the kiosks do. So the figures are those of a hub that shares its machine.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.simulate(c.Context(), plan) },
	}
	flags := c.Flags()
	flags.IntVar(&plan.Kiosks, "kiosks", 50, "`number` of kiosks")
	flags.Float64Var(&plan.Rate, "visits", 600, "`number` of visits a minute, of all kiosks together")
	flags.DurationVar(&plan.For, "for", time.Minute, "`duration` of the simulation")
	flags.BoolVar(&plan.Day, "day", false, "spread the visits as over the hours of a day, of which --for is the whole")
	flags.Float64Var(&plan.Faults, "faults", 0.1, "`part` of the visits that go wrong, from 0 to 1")
	flags.Uint64Var(&plan.Seed, "seed", 1, "`number` that repeats the same choices")
	return c
}

func (p program) simulate(ctx context.Context, plan fleet.Plan) error {
	if err := plan.Check(); err != nil {
		return cli.Usagef("%w", err)
	}
	return fleet.Temporary(func(dir string) error {
		fmt.Fprintf(p.stderr, "Makes a hub, %d kiosks and their test cards …\n", plan.Kiosks)
		report, err := fleet.Run(ctx, dir, plan, p.progress())
		if err != nil {
			return err
		}
		if _, err := report.WriteTo(p.stdout); err != nil {
			return err
		}
		if report.Feed != nil {
			return errors.New("the feed is wrong")
		}
		return nil
	})
}

const barWidth = 40

// progress returns a function that draws a bar, if a person can see it.
func (p program) progress() func(part float64, r *fleet.Report) {
	out, ok := p.stderr.(*os.File)
	if !ok || !isTerminal(out) {
		return func(float64, *fleet.Report) {}
	}
	return func(part float64, r *fleet.Report) {
		done := int(part * barWidth)
		fmt.Fprintf(out, "\r[%s%s] %3.0f %%  %d visits, %d errors ", strings.Repeat("#", done), strings.Repeat(" ", barWidth-done), part*100, r.Visits(), r.Errors())
		if part >= 1 {
			fmt.Fprintln(out)
		}
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
