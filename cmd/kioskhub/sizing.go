package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) sizingCommand() *cobra.Command {
	f := hub.Fleet{Visits: 400, Others: 10, Days: 400, EvidenceDays: 90}
	var offline float64
	c := &cobra.Command{
		Use:   "sizing",
		Short: "Tell how much disk a fleet of kiosks needs",
		Long: fmt.Sprintf(`Tell how much disk the hub needs for a fleet of kiosks. A visit needs %d bytes, as
measured with a card whose certificate has 1.1 KiB: the events of its outcome and of
what was shown, with the signed original and the card's evidence. events_days and
evidence_days in hub.toml (--days and --evidence-days here) say how long events and
their evidence are stored.`, hub.VisitBytes),
		Args: cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			f.Offline = offline / 100
			return p.size(f)
		},
	}
	flags := c.Flags()
	flags.IntVar(&f.Kiosks, "kiosks", 1, "`number` of kiosks")
	flags.Float64Var(&f.Visits, "visits", f.Visits, "`number` of visits of one kiosk in a day")
	flags.Float64Var(&f.Others, "others", f.Others, "`number` of other events of one kiosk in a day")
	flags.Float64Var(&offline, "offline", 0, "part of the visits that kiosks decide offline, in `percent`")
	flags.IntVar(&f.Days, "days", f.Days, "`number` of days for which events are stored")
	flags.IntVar(&f.EvidenceDays, "evidence-days", f.EvidenceDays, "`number` of days for which their evidence is stored")
	return c
}

func (p program) size(f hub.Fleet) error {
	if f.Kiosks < 1 || f.Visits < 0 || f.Others < 0 || f.Days < 1 || f.EvidenceDays < 1 || f.Offline < 0 || f.Offline > 1 {
		return cli.WithStatus(cli.StatusUsage, errors.New("the numbers must be positive, and offline must be from 0 to 100"))
	}
	s := hub.Sizing(f)
	_, err := fmt.Fprintf(p.stdout, `%d kiosks, %g visits a day each, events stored for %d days, their evidence for %d:
a day        %s
all events   %s
disk         %s, so that less than 60 %% are used
`, f.Kiosks, f.Visits, f.Days, min(f.EvidenceDays, f.Days), gib(s.PerDay), gib(s.Events), gib(s.Disk))
	return err
}

func gib(bytes int64) string { return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30)) }
