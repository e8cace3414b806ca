package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"time"

	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk/trust"
)

// card tells what is on the card.
func (p program) card(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("card", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	trusted := flags.String("trust", "", "")
	profiles := flags.String("profiles", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	domains, err := loadDomains(*trusted)
	if err != nil {
		return err
	}
	card, reader, err := p.open(ctx, *profiles)
	if err != nil {
		return fmt.Errorf("cannot read card: %w", err)
	}
	defer card.Close()
	description, err := card.Describe(ctx)
	if err != nil {
		return err
	}
	report := newReport(reader, description)
	if domains != nil {
		report.judge(domains, description, time.Now())
	}
	report.advise(time.Now())
	if *asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	return report.print(p.stdout)
}

// loadDomains gives the trust domains of a file, nil for no file.
func loadDomains(path string) (*trust.Domains, error) {
	if path == "" {
		return nil, nil
	}
	return trust.Load(path)
}

// loadProfiles gives the card profiles of a folder and those compiled in, only
// these for no folder.
func loadProfiles(dir string) (*smartkort.Profiles, error) {
	if dir == "" {
		return smartkort.BuiltinProfiles, nil
	}
	return smartkort.LoadProfiles(dir)
}
