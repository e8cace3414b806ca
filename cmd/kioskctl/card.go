package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk/protocol/trust"
)

func (p program) cardCommand() *cobra.Command {
	var o cardOptions
	c := &cobra.Command{
		Use:   "card",
		Short: "Show what is on the card in the reader",
		Long: `Show what is on the card in the reader: what is wrong and what helps, its PINs
with the tries that are left, its keys and certificates, the card profile in use,
and what is unknown about this kind of card. With --trust also which certificate a
kiosk would use, and why. The command needs no PIN and uses up no try.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.card(c.Context(), o) },
	}
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	trustFlag(c, &o.trust)
	profilesFlag(c, &o.profiles)
	c.AddCommand(cli.Group("pin", "Change or unblock the card's PIN", "",
		p.pinCommand("change", "Replace the PIN, with the current PIN", pinHelp),
		p.pinCommand("unblock", "Replace a blocked PIN, with the PUK", pinHelp)))
	return c
}

// cardOptions are the flags of card.
type cardOptions struct {
	json            bool
	trust, profiles string
}

func trustFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "trust", "", "`file` of trust domains (trust.toml)")
}

func profilesFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "profiles", "", "`folder` of card profiles (*.toml), which are tried before the built-in ones")
}

// card shows what is on the card.
func (p program) card(ctx context.Context, o cardOptions) error {
	domains, err := loadDomains(o.trust)
	if err != nil {
		return err
	}
	known, err := loadProfiles(o.profiles)
	if err != nil {
		return err
	}
	report, failed := p.report(ctx, known, domains)
	if report == nil {
		return failed
	}
	if o.json {
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
