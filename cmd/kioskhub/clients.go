package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

// clientCommands are the commands that all roles have: list, renew and remove.
func (p program) clientCommands(role hubapi.Role) []*cobra.Command {
	return []*cobra.Command{p.clientListCommand(role), p.clientRenewCommand(role), p.clientRemoveCommand(role)}
}

// consumerCommand and operatorCommand are the groups of the roles whose bundle is made
// from a name alone.
func (p program) consumerCommand() *cobra.Command {
	return cli.Group("consumer", "Manage backends that pull the feed", "", append([]*cobra.Command{p.consumerAddCommand()}, p.clientCommands(hubapi.RoleConsumer)...)...)
}

func (p program) operatorCommand() *cobra.Command {
	add := p.clientAddCommand("Make a bundle for a program that watches the hub's health",
		"Make the bundle of a new operator, a program that may call /healthz, and print\nwhere it is. Earlier certificates of an operator with this name end at once.", hub.AddOperator)
	return cli.Group("operator", "Manage programs that watch the hub's health", "", append([]*cobra.Command{add}, p.clientCommands(hubapi.RoleOperator)...)...)
}

func (p program) clientAddCommand(short, long string, add func(dir, name string) (string, error)) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "add NAME", Short: short, Long: long,
		Args: cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error { return p.printBundle(add(dir, args[0])) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) printBundle(path string, err error) error {
	if err == nil {
		_, err = fmt.Fprintln(p.stdout, path)
	}
	return err
}

func (p program) clientListCommand(role hubapi.Role) *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: fmt.Sprintf("List %ss and when their certificates end", role),
		Args:  cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			list, err := hub.Clients(dir, role)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(append([]hub.Client{}, list...)) // [] and not null for an empty list
			}
			return printClients(p.stdout, role, list, time.Now())
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return c
}

func (p program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printClients(out io.Writer, role hubapi.Role, list []hub.Client, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	kiosks := role == hubapi.RoleKiosk
	head := strings.ToUpper(string(role)) + "\tCERTIFICATE ENDS"
	if kiosks {
		head += "\tLAST SEEN"
	}
	fmt.Fprintf(w, "%s\tSTATE\n", head)
	for _, c := range list {
		ends := "-"
		if !c.NotAfter.IsZero() {
			ends = c.NotAfter.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t", c.Name, ends)
		if kiosks {
			seen := "never"
			if !c.Seen.IsZero() {
				seen = c.Seen.UTC().Format("2006-01-02 15:04Z")
			}
			fmt.Fprintf(w, "%s\t", seen)
		}
		fmt.Fprintln(w, strings.Join(stateOf(c, now), "; "))
	}
	return w.Flush()
}

// stateOf says what an operator should know about a client, the most urgent first.
func stateOf(c hub.Client, now time.Time) (notes []string) {
	switch c.State {
	case hub.Removed:
		return []string{"removed " + c.Removed.UTC().Format(time.DateOnly)}
	case hub.Expired:
		notes = append(notes, "expired: it cannot connect")
	case hub.Ending:
		notes = append(notes, fmt.Sprintf("ends in %d days", int(c.NotAfter.Sub(now)/(24*time.Hour))))
	default:
		notes = append(notes, "valid")
	}
	if !c.Twin.IsZero() {
		notes = append(notes, "two machines use this identity: "+strings.Join(c.Addresses, " and "))
	}
	if c.Alarms > 0 {
		notes = append(notes, fmt.Sprintf("%d alarms, the last one %s", c.Alarms, c.LastAlarm))
	}
	return notes
}

func (p program) clientRenewCommand(role hubapi.Role) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "renew NAME",
		Short: fmt.Sprintf("Issue a new certificate for the key of this %s", role),
		Long: fmt.Sprintf(`Issue a new certificate for the key of this %[1]s, and print where it is. Put it
in the place of the old one, which stays valid until it expires. "kioskhub %[1]s
add" makes a new key instead, and ends the old certificate at once.`, role),
		Args: cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			path, until, err := hub.RenewClient(dir, hubapi.Identity{Role: role, Name: args[0]})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "%s\nIt is valid until %s.\n", path, until.UTC().Format(time.DateOnly))
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}

func (p program) clientRemoveCommand(role hubapi.Role) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: fmt.Sprintf("End the certificates of this %s, and close its connections", role),
		Long: fmt.Sprintf(`End the certificates of this %[1]s. Every hub closes its connections within 5 seconds
and accepts no new ones. Its bundle is moved to removed/. The name can be added
again, with a new certificate.`, role),
		Args: cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error { return p.removeClient(dir, role, args[0]) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) removeClient(dir string, role hubapi.Role, name string) error {
	done, err := hub.RemoveClient(dir, hubapi.Identity{Role: role, Name: name})
	if err != nil {
		return err
	}
	if !done.Known {
		fmt.Fprintf(p.stdout, "The hub knows no %s %s. If there is an old certificate with this name, it is no longer accepted.\n", role, name)
		return nil
	}
	fmt.Fprintf(p.stdout, "%s %s is removed. Its certificates are no longer accepted.\n", role, name)
	if done.Moved != "" {
		fmt.Fprintf(p.stdout, "Its bundle is now %s.\n", done.Moved)
	}
	if done.Accounts != "" {
		fmt.Fprintf(p.stdout, "The NATS servers still let it in until you\n%s", copyAccounts(done.Accounts))
	}
	return nil
}
