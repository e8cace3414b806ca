//go:build linux

package main

import (
	"context"
	"encoding/hex"
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
kiosk would use, and why. The command needs no PIN and uses up no try, except with
--sign: then it asks for the PIN and lets the card sign, which proves that a kiosk
can use the card.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.reader != "" {
				p.slot = p.readers(o.reader)
			}
			return p.card(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.reader, "reader", "", "use the readers whose `name` contains this, as reader.match in kioskd's configuration")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.Flags().BoolVar(&o.sign, "sign", false, "ask for the PIN and let the card sign")
	trustFlag(c, &o.trust)
	profilesFlag(c, &o.profiles)
	c.AddCommand(p.learnCommand(), cli.Group("pin", "Change or unblock the card's PIN", "",
		p.pinCommand("change", "Replace the PIN, with the current PIN", pinHelp),
		p.pinCommand("unblock", "Replace a blocked PIN, with the PUK", pinHelp)))
	return c
}

// cardOptions are the flags of card.
type cardOptions struct {
	json, sign      bool
	reader          string
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
	report, failed := p.report(ctx, known, domains, o.sign)
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

// report reads the card in the reader. If the card cannot be read, the report
// contains what is known and err says why. The report is nil when there is no
// card.
func (p program) report(ctx context.Context, known *smartkort.Profiles, domains *trust.Domains, sign bool) (_ *cardReport, err error) {
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
		report.applyTrust(domains, description, time.Now())
	}
	report.advise(time.Now())
	if sign {
		report.Signing = p.proveSigning(ctx, card, report, domains)
	}
	report.conclude()
	if report.Signing != nil && report.Signing.Error != "" {
		return &report, errors.New("cannot prove that the card signs: " + report.Signing.Error)
	}
	return &report, nil
}

// proveSigning asks for the PIN and lets the card sign a random digest with the
// certificate that a kiosk would use.
func (p program) proveSigning(ctx context.Context, card *smartkort.Card, report cardReport, domains *trust.Domains) *signingReport {
	r := &signingReport{}
	err := func() error {
		certs, err := card.AuthenticationCertificates(ctx)
		if err != nil {
			return err
		}
		cert, err := authentication(certs, domains, authorities(ctx, card)...)
		if err != nil {
			return err
		}
		r.Certificate = hex.EncodeToString(cert.ID)
		pin, err := card.PIN(ctx, cert)
		if err != nil {
			return err
		}
		typed, err := p.ask(ctx, fmt.Sprintf("PIN %q, %s", pin.Label, digits(pin.MinLength, pin.MaxLength)))
		defer clear(typed)
		if err != nil {
			return err
		}
		if err := card.VerifyPIN(ctx, cert, typed); err != nil {
			return err
		}
		return card.SignRandom(ctx, cert)
	}()
	r.Recipe = card.Recipe()
	for _, a := range card.Attempts() {
		r.Refused = append(r.Refused, fmt.Sprintf("%s: %v", a.Recipe, a.Err))
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// unreadable makes the report about a card that cannot be read.
func unreadable(in slot.Event, known *smartkort.Profiles, err error) *cardReport {
	r := newReport(in.Reader, smartkort.Description{ATR: in.ATR, Profile: known.For(in.ATR, nil)})
	r.Verdict = "no kiosk can use this card: it cannot be read"
	switch {
	case errors.Is(err, slot.ErrNoCard):
		r.Advice = append(r.Advice, "the card was removed or has no contact: insert it again and leave it in")
	case errors.Is(err, smartkort.ErrUnknownCard):
		r.Advice = append(r.Advice, "the card has no ISO 7816-15 application: if it is an identity card and you have its specification, describe it in a profile (--profiles)")
	case errors.Is(err, smartkort.ErrSecureMessaging):
		r.Advice = append(r.Advice, "the card requires secure messaging, and only its issuer has the keys")
	default:
		r.Advice = append(r.Advice, "insert the card again; if that does not help, the holder should contact its issuer")
	}
	return &r
}

// loadDomains reads trust domains from a file. Without a file it returns nil.
func loadDomains(path string) (*trust.Domains, error) {
	if path == "" {
		return nil, nil
	}
	return trust.Load(path)
}

// loadProfiles returns the card profiles in a folder and the built-in ones.
// Without a folder it returns only the built-in ones.
func loadProfiles(dir string) (*smartkort.Profiles, error) {
	if dir == "" {
		return smartkort.BuiltinProfiles, nil
	}
	return smartkort.LoadProfiles(dir)
}
