package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk/protocol/trust"
)

// card tells what is on the card, or replaces its PIN.
func (p program) card(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "pin" {
		return p.pin(ctx, args[1:])
	}
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
	known, err := loadProfiles(*profiles)
	if err != nil {
		return err
	}
	report, failed := p.report(ctx, known, domains)
	if report == nil {
		return failed
	}
	if *asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		err = report.print(p.stdout)
	}
	return errors.Join(err, failed)
}

// report reads the card in the reader. Of one that cannot be read it tells
// what it can, and err why; it is nil when there is no card to tell of.
func (p program) report(ctx context.Context, known *smartkort.Profiles, domains *trust.Domains) (_ *cardReport, err error) {
	card, in, err := p.open(ctx, known)
	if err != nil {
		err = fmt.Errorf("cannot read card: %w", err)
		if len(in.ATR) == 0 {
			return nil, err
		}
		return unreadable(in, known, err), err
	}
	defer card.Close()
	fmt.Fprintln(p.stderr, "Reading the card, which may take ten seconds.")
	description, err := card.Describe(ctx)
	if err != nil {
		return unreadable(in, known, err), err
	}
	report := newReport(in.Reader, description)
	if domains != nil {
		report.judge(domains, description, time.Now())
	}
	report.advise(time.Now())
	report.conclude()
	return &report, nil
}

// unreadable reports of a card that cannot be read.
func unreadable(in slot.Event, known *smartkort.Profiles, err error) *cardReport {
	r := newReport(in.Reader, smartkort.Description{ATR: in.ATR, Profile: known.For(in.ATR, nil)})
	r.Verdict = "no kiosk can use this card: it cannot be read"
	switch {
	case errors.Is(err, slot.ErrNoCard):
		r.Advice = append(r.Advice, "the card was pulled, or has no contact: put it in once more, and leave it in")
	case errors.Is(err, smartkort.ErrUnknownCard):
		r.Advice = append(r.Advice, "it has no application by ISO 7816-15: if it is an identity card, and its specification is at hand, a profile (--profiles) can describe it")
	case errors.Is(err, smartkort.ErrSecureMessaging):
		r.Advice = append(r.Advice, "it takes commands under secure messaging only, whose keys its issuer has")
	default:
		r.Advice = append(r.Advice, "put it in once more; when that does not help, the holder shows it to its issuer")
	}
	return &r
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
