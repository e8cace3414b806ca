package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub/broker"
)

func (p program) brokerCommand() *cobra.Command {
	return cli.Group("broker", "Check identity brokers", "", p.brokerCheckCommand(), p.brokerKeysCommand())
}

func (p program) brokerCheckCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check NAME",
		Short: "Find the step of a broker's set-up that is not done yet",
		Long: `Find the step of a broker's set-up that is not done yet. The command
asks the broker and the hub's own pages. It begins no login. What it cannot see
from outside is "unknown", with the person who knows.

Exit status: 0 no check failed, 1 a check failed, 2 the configuration is invalid.`,
		Args: cli.Args("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.checkBroker(c.Context(), dir, args[0], asJSON)
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func (p program) brokerKeysCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "keys NAME",
		Short: "Print the public keys to register at a broker (a JWK set)",
		Args:  cli.Args("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			client, err := openBroker(dir, args[0])
			if err != nil {
				return err
			}
			if len(client.Credentials().PublicKeys()) == 0 {
				return fmt.Errorf("broker %s has no keys: it uses a secret", args[0])
			}
			_, err = fmt.Fprintf(p.stdout, "%s\n", client.Credentials().PublicKeys())
			return err
		},
	}
	dirFlag(c, &dir)
	return c
}

// openBroker reads a broker's configuration from a hub's folder.
func openBroker(dir, name string) (*broker.Client, error) {
	set, err := broker.Load(dir, broker.Surroundings{HTTP: http.DefaultTransport, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return nil, err
	}
	if set == nil {
		return nil, fmt.Errorf("cannot find %s in %s: no broker is configured", broker.File, dir)
	}
	client := set.Client(name)
	if client == nil {
		return nil, fmt.Errorf("%s has no broker %q", broker.File, name)
	}
	return client, nil
}

// brokerReport is the output of "broker check --json".
type brokerReport struct {
	Broker      string             `json:"broker"`
	Environment broker.Environment `json:"environment"`
	Preset      string             `json:"preset"`
	Checks      []broker.Check     `json:"checks"`
}

func (p program) checkBroker(ctx context.Context, dir, name string, asJSON bool) error {
	client, err := openBroker(dir, name)
	if err != nil {
		return cannotJudge(err)
	}
	c := client.Config()
	report := brokerReport{c.Name, c.Environment, c.Preset, client.Check(ctx, http.DefaultTransport)}
	if asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		err = p.printBroker(report)
	}
	failed := 0
	for _, c := range report.Checks {
		if c.State == broker.CheckFailed {
			failed++
		}
	}
	if failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d checks of broker %s failed", failed, name))
	}
	return err
}

func (p program) printBroker(r brokerReport) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, c.State, c.Found)
		if c.Advice != "" {
			fmt.Fprintf(w, "\t\t%s\n", c.Advice)
		}
	}
	return w.Flush()
}
