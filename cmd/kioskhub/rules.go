package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/hub/rules"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

func (p program) rulesCheckCommand() *cobra.Command {
	var tried rules.Case
	var at moment
	var offlineRule string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say in words what a rules file does",
		Long: `Say in words what a rules file does, or what is wrong with it. With --subject
the command also tries one case online; the first line is then allow or deny.
The command does not call the webhook.

It describes what the hub does, and what kiosks do while they cannot reach the
hub. The latter depends on the offline rule, which is read from hub.toml in the
folder of FILE, or given by --offline.

Exit status: 0 the file is valid (and the case is allowed), 1 the case is
denied, 2 the file is invalid or missing.`,
		Args: cli.Args("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if tried.Subject == "" && (tried.Domain != "" || tried.Kiosk != "" || !at.IsZero()) {
				return cli.Usagef("--subject is missing: it names the holder whose case is tried")
			}
			tried.At = at.or(time.Now())
			offline, err := offlineRules(args[0], offlineRule)
			if err != nil {
				return cannotJudge(err)
			}
			return p.checkRules(args[0], tried, offline)
		},
	}
	c.Flags().StringVar(&tried.Subject, "subject", "", "try a `holder`, like UN:NO-9578-4050-900000001")
	c.Flags().StringVar(&tried.Domain, "domain", "", "the trust `domain` of the holder's certificate")
	c.Flags().StringVar(&tried.Kiosk, "kiosk", "", "the kiosk's `id`")
	c.Flags().Var(&at, "at", "the `time`, like 2026-11-22T12:00:00+01:00 (default now)")
	c.Flags().StringVar(&offlineRule, "offline", "", "the offline `rule`, never or trusted (default that of hub.toml)")
	return c
}

// offlineRules returns what kiosks may decide offline: by name, or else by the hub.toml
// in the folder of a rules file, or else nothing, which is the default of hub.toml.
func offlineRules(path, name string) (hubpolicy.OfflineRules, error) {
	o := hubpolicy.OfflineRules{Rule: hubpolicy.Never, UntrustedClock: hubpolicy.Deny}
	if name != "" {
		o.Rule = hubpolicy.OfflineRule(name)
		if err := o.Check(); err != nil {
			return o, fmt.Errorf("cannot use --offline %s: %w", name, err)
		}
		return o, nil
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(filepath.Join(dir, "hub.toml")); err != nil {
		return o, nil
	}
	return hub.ReadOffline(dir)
}

func (p program) checkRules(path string, c rules.Case, offline hubpolicy.OfflineRules) error {
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
	for _, line := range r.OfflineWords(offline) {
		fmt.Fprintln(p.stdout, line)
	}
	_, warnings := r.OfflineWarnings(offline.Rule)
	for _, w := range warnings {
		fmt.Fprintln(p.stdout, "Warning:", w)
	}
	if denied {
		return cli.ErrNo
	}
	return nil
}
