//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

func (p program) tokenCommand() *cobra.Command {
	var o tokenOptions
	c := &cobra.Command{
		Use:   "token --origin ORIGIN --nonce NONCE",
		Short: "Have the card sign, and print a Web eID token",
		Long: `Have the card sign, and print a Web eID authentication token (JSON). The command
asks for the PIN and does not show what is typed; --pin-file gives it instead.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.token(c.Context(), o) },
	}
	c.Flags().StringVar(&o.origin, "origin", "", "`origin` of the server that gave the nonce, https://host[:port]")
	c.Flags().StringVar(&o.nonce, "nonce", "", "the `nonce` to sign, base64")
	c.Flags().StringVar(&o.pinFile, "pin-file", "-", "read the PIN from the first line of this `file`; - asks for it")
	trustFlag(c, &o.trust)
	profilesFlag(c, &o.profiles)
	return c
}

// tokenOptions are the flags of token.
type tokenOptions struct {
	origin, nonce, pinFile, trust, profiles string
}

// token prints the Web eID token of the card.
func (p program) token(ctx context.Context, o tokenOptions) error {
	if o.origin == "" || o.nonce == "" {
		return cli.Usagef("--origin and --nonce are both needed")
	}
	domains, err := loadDomains(o.trust)
	if err != nil {
		return err
	}
	known, err := loadProfiles(o.profiles)
	if err != nil {
		return err
	}
	pin, err := p.readPIN(ctx, o.pinFile)
	if err != nil {
		return err
	}
	defer clear(pin)

	card, _, err := p.open(ctx, known)
	if err != nil {
		return fmt.Errorf("cannot make token: %w", err)
	}
	defer card.Close()
	token, err := sign(ctx, card, domains, pin, o.origin, o.nonce)
	if err != nil {
		return fmt.Errorf("cannot make token: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", token)
	return err
}

func sign(ctx context.Context, card *smartkort.Card, domains *trust.Domains, pin []byte, origin, nonce string) ([]byte, error) {
	certs, err := card.AuthenticationCertificates(ctx)
	if err != nil {
		return nil, err
	}
	cert, err := authentication(certs, domains)
	if refusal, ok := errors.AsType[*trust.Refusal](err); ok && refusal.Reason == kiosk.NotTrusted {
		cert, err = authentication(certs, domains, authorities(ctx, card)...)
	}
	if err != nil {
		return nil, err
	}
	if err := card.VerifyPIN(ctx, cert, pin); err != nil {
		return nil, err
	}
	signer, err := card.Signer(ctx, cert)
	if err != nil {
		return nil, err
	}
	return webeid.Sign(signer, cert.DER, origin, nonce)
}

// authorities returns the CA certificates on the card, or none when they cannot
// be read.
func authorities(ctx context.Context, card *smartkort.Card) (der [][]byte) {
	found, _ := card.Authorities(ctx)
	for _, a := range found {
		der = append(der, a.DER)
	}
	return der
}

// authentication returns the certificate that a kiosk with these trust domains
// would use, or, without trust domains, the first certificate with the
// digitalSignature bit. A certificate for binding signatures (nonRepudiation
// only) is never used.
func authentication(certs []smartkort.Certificate, domains *trust.Domains, authorities ...[]byte) (smartkort.Certificate, error) {
	var der [][]byte
	for _, c := range certs {
		parsed, err := x509.ParseCertificate(c.DER)
		if domains == nil && err == nil && parsed.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
			return c, nil
		}
		der = append(der, c.DER)
	}
	if domains == nil {
		return smartkort.Certificate{}, fmt.Errorf("none of the card's %d certificates is for authentication", len(certs))
	}
	choice, err := domains.Choose(der, time.Now(), authorities...)
	if err != nil {
		return smartkort.Certificate{}, err
	}
	return certs[choice.Index], nil
}
