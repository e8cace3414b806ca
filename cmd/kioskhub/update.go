package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

func (p program) updateCommand() *cobra.Command {
	return cli.Group("update", "Roll out new versions of the kiosks' system", `An update is a RAUC bundle. It is offered in rings, one after the other. If more kiosks
fail than its limit allows, the roll-out stops and the hub raises an alarm.`,
		p.updateAddCommand(), p.updateListCommand(), p.updateRingCommand(), p.updateRemoveCommand())
}

func (p program) updateAddCommand() *cobra.Command {
	var dir, hours, zone string
	var rings []string
	var every time.Duration
	var failures int
	c := &cobra.Command{
		Use:   "add BUNDLE",
		Short: "Add the bundle of an update, which is not offered yet",
		Long: `Copy a bundle into the hub's folder. No kiosk is offered it before "kioskhub update
ring". Version and kind of machine come from the bundle. The kiosks check the bundle's
signature; the hub does not have its key.

A ring is the name of a kiosk, a group of the rules, or a part of all kiosks, such as
10%. With several hubs on one JetStream, add the bundle at each of them: they share the
roll-out, but each serves its own file.`,
		Args: cli.Args("BUNDLE"),
		RunE: func(_ *cobra.Command, args []string) error {
			when, err := calendar(hours, zone)
			if err != nil {
				return err
			}
			r, added, err := hub.AddUpdate(dir, args[0], hub.Rollout{Rings: rings, Every: hubpolicy.Duration(every), MaxFailures: failures, When: when})
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s for %s, %d bytes, %s\n", r.Version, r.Compatible, r.Size, r.Digest)
			if !added {
				fmt.Fprintln(p.stdout, "Another hub has it already. Its roll-out stays as it is.")
				return nil
			}
			_, err = fmt.Fprintf(p.stdout, "Offer it to the first ring (%s): kioskhub update ring %s 1\n", r.Rings[0], r.Version)
			return err
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringSliceVar(&rings, "rings", []string{"5%", "25%", "100%"}, "`rings` in their order")
	c.Flags().DurationVar(&every, "every", 0, "open the next ring after this `time` (default: never by itself)")
	c.Flags().IntVar(&failures, "max-failures", 0, "`number` of kiosks that may fail before the roll-out stops")
	c.Flags().StringVar(&hours, "hours", "", "`hours` in which kiosks may install it, such as 22:00-05:00")
	c.Flags().StringVar(&zone, "zone", "Europe/Oslo", "time `zone` of --hours")
	return c
}

// calendar reads the hours of an update. "" means all hours.
func calendar(hours, zone string) (hubpolicy.Calendar, error) {
	if hours == "" {
		return hubpolicy.Calendar{}, nil
	}
	from, to, _ := strings.Cut(hours, "-")
	begin, wrong := time.Parse("15:04", from)
	end, err := time.Parse("15:04", to)
	if err != nil || wrong != nil {
		return hubpolicy.Calendar{}, cli.Usagef("--hours is %q, not two times such as 22:00-05:00", hours)
	}
	minutes := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	return hubpolicy.Calendar{Zone: zone, Hours: []hubpolicy.Span{{From: minutes(begin), To: minutes(end)}}}, nil
}

func (p program) updateRingCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "ring VERSION NUMBER",
		Short: "Offer an update to its first rings",
		Long: `Offer an update to the kiosks of its first rings, as many as NUMBER says. 0 withdraws it
from all kiosks that have not installed it. A roll-out that was stopped goes on; the
failures so far do not count any more. VERSION may also be the digest of the bundle.`,
		Args: cli.Args("VERSION", "NUMBER"),
		RunE: func(_ *cobra.Command, args []string) error {
			open, err := strconv.Atoi(args[1])
			if err != nil {
				return cli.Usagef("NUMBER is %q, not a number of rings", args[1])
			}
			r, err := hub.RingUpdate(dir, args[0], open)
			if err != nil {
				return err
			}
			if open == 0 {
				_, err = fmt.Fprintf(p.stdout, "%s is offered to no kiosk.\n", r.Version)
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s is offered to %s.\n", r.Version, strings.Join(r.Rings[:open], ", "))
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}

func (p program) updateListCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List updates, how far they are, and which kiosks failed",
		Args:  cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			list, err := hub.Updates(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(append([]hub.UpdateStatus{}, list...)) // [] and not null for an empty list
			}
			return p.printUpdates(list)
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}

func (p program) printUpdates(list []hub.UpdateStatus) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tFOR\tRINGS\tINSTALLED\tGOOD\tFAILED\tSTATE")
	for _, u := range list {
		count := map[event.UpdateState]int{}
		for _, r := range u.Reports {
			count[r.State]++
		}
		state := fmt.Sprintf("offered to %d of %d rings", u.OpenNow, len(u.Rings))
		switch {
		case u.Stopped != "":
			state = "STOPPED: " + u.Stopped
		case u.OpenNow == 0:
			state = "not offered"
		}
		if !u.Here {
			state += "; this hub lacks the bundle: kioskhub update add"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", u.Version, u.Compatible, strings.Join(u.Rings, ","),
			count[event.UpdateInstalled], count[event.UpdateGood], count[event.UpdateRefused]+count[event.UpdateFellBack], state)
		for _, r := range u.Reports {
			if r.State == event.UpdateRefused || r.State == event.UpdateFellBack {
				fmt.Fprintf(w, "  %s\t\t\t\t\t\t%s: %s: %s\n", r.Kiosk, r.State, r.Reason, r.Problem)
			}
		}
	}
	return w.Flush()
}

func (p program) updateRemoveCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "remove VERSION",
		Short: "Offer an update no longer, and delete its bundle",
		Long: `Offer an update no longer, and delete its bundle from the hub's folder. Kiosks that
have installed it keep it. VERSION may also be the digest of the bundle.`,
		Args: cli.Args("VERSION"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := hub.RemoveUpdate(dir, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "%s is removed.\n", args[0])
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}
