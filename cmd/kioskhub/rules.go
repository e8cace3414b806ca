package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub/rules"
)

func (p program) rulesCheckCommand() *cobra.Command {
	var tried rules.Case
	var at moment
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say in words what a rules file does",
		Long: `Say in words what a rules file does, or what is wrong with it. With --subject
the command also tries one case; the first line is then allow or deny. The
command does not call the webhook.

Exit status: 0 the file is valid (and the case is allowed), 1 the case is
denied, 2 the file is invalid or missing.`,
		Args: cli.Args("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if tried.Subject == "" && (tried.Domain != "" || tried.Kiosk != "" || !at.IsZero()) {
				return cli.Usagef("--subject is missing: it names the holder whose case is tried")
			}
			tried.At = at.or(time.Now())
			return p.checkRules(args[0], tried)
		},
	}
	c.Flags().StringVar(&tried.Subject, "subject", "", "try a `holder`, like UN:NO-9578-4050-900000001")
	c.Flags().StringVar(&tried.Domain, "domain", "", "the trust `domain` of the holder's certificate")
	c.Flags().StringVar(&tried.Kiosk, "kiosk", "", "the kiosk's `id`")
	c.Flags().Var(&at, "at", "the `time`, like 2026-11-22T12:00:00+01:00 (default now)")
	return c
}

func (p program) checkRules(path string, c rules.Case) error {
	f, err := rules.Open(path, nil)
	if err != nil {
		return cannotJudge(err)
	}
	r := f.Rules()
	denied := false
	if c.Subject != "" {
		d := r.Decide(c)
		if denied = !d.Allowed; denied {
			fmt.Fprintln(p.stdout, "deny")
		} else {
			fmt.Fprintln(p.stdout, "allow")
		}
		fmt.Fprintf(p.stdout, "%s\n\n", d.Words())
	}
	for _, line := range r.Words() {
		fmt.Fprintln(p.stdout, line)
	}
	if denied {
		return cli.ErrNo
	}
	return nil
}
