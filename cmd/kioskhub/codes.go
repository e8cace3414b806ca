package main

import (
	"encoding/csv"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) codesCommand() *cobra.Command {
	return cli.Group("codes", "Manage one-time codes with which kiosks enrol", "", p.codesNewCommand(), p.codesListCommand(), p.codesRevokeCommand())
}

func (p program) codesNewCommand() *cobra.Command {
	var dir string
	var table bool
	c := &cobra.Command{
		Use:   "new KIOSK",
		Short: "Make a one-time code with which a kiosk enrols",
		Long: `Make a one-time code with which a technician enrols a kiosk, a new one or one that has
a certificate, also an expired one. The kiosk makes its own key. The code is valid
for 24 hours. After 5 wrong attempts it is locked. It replaces an earlier code of
this kiosk. When it is used, the kiosk's earlier certificates end.

The first line of the output is the code. Give it to the technician in a way that you
trust: it also says which hub the kiosk may trust.

With --csv the command takes any number of kiosks, and prints a table from which
"kioskctl provision --list" makes the files for their SD cards.`,
		Args: func(c *cobra.Command, args []string) error {
			if table && len(args) > 0 {
				return nil
			}
			return cli.Args("KIOSK")(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if table {
				return p.newCodes(dir, args)
			}
			return p.newCode(dir, args[0])
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&table, "csv", false, "print a table for \"kioskctl provision --list\"")
	return c
}

// newCodes prints a table of new codes.
func (p program) newCodes(dir string, kiosks []string) error {
	url, err := hub.URL(dir)
	if err != nil {
		return err
	}
	w := csv.NewWriter(p.stdout)
	_ = w.Write([]string{"kiosk", "hub", "code", "expires"}) // Error has it
	for _, kiosk := range kiosks {
		code, expires, err := hub.NewCode(dir, kiosk)
		if err != nil {
			w.Flush() // the codes so far are valid
			return err
		}
		_ = w.Write([]string{kiosk, url, code.Text(), date(expires)}) // Error has it
		code.Secret.Wipe()
	}
	w.Flush()
	return w.Error()
}

func (p program) newCode(dir, kiosk string) error {
	code, expires, err := hub.NewCode(dir, kiosk)
	if err != nil {
		return err
	}
	defer code.Secret.Wipe()
	url, err := hub.URL(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, `%s
It is valid until %s and works once. At the kiosk:
  kioskctl enrol --hub %s
`, code.Text(), date(expires), url)
	return nil
}

func (p program) codesListCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the one-time codes of the last two days, without their secrets",
		Args:  cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			list, err := hub.Codes(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(append([]hub.CodeState{}, list...)) // [] and not null for an empty list
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KIOSK\tSTATE\tEXPIRES\tWRONG ATTEMPTS")
			for _, c := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", c.Kiosk, c.State, c.Expires.UTC().Format(time.RFC3339), c.Wrong)
			}
			return w.Flush()
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}

func (p program) codesRevokeCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "revoke KIOSK",
		Short: "Make the one-time code of a kiosk void",
		Args:  cli.Args("KIOSK"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := hub.RevokeCode(dir, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "The code of kiosk %s is void.\n", args[0])
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}
