package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"time"

	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// token prints the Web eID token of the card.
func (p program) token(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	origin := flags.String("origin", "", "")
	nonce := flags.String("nonce", "", "")
	pinFile := flags.String("pin-file", "-", "")
	trusted := flags.String("trust", "", "")
	profiles := flags.String("profiles", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *origin == "" || *nonce == "" {
		return fmt.Errorf("token: --origin and --nonce are needed; %w", errUsage)
	}
	domains, err := loadDomains(*trusted)
	if err != nil {
		return err
	}
	known, err := loadProfiles(*profiles)
	if err != nil {
		return err
	}
	pin, err := p.readPIN(ctx, *pinFile)
	if err != nil {
		return err
	}
	defer clear(pin)

	card, _, err := p.open(ctx, known)
	if err != nil {
		return fmt.Errorf("cannot make token: %w", err)
	}
	defer card.Close()
	token, err := sign(ctx, card, domains, pin, *origin, *nonce)
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

// authorities gives the CA certificates on the card, none where they cannot be
// read.
func authorities(ctx context.Context, card *smartkort.Card) (der [][]byte) {
	found, _ := card.Authorities(ctx)
	for _, a := range found {
		der = append(der, a.DER)
	}
	return der
}

// authentication gives the certificate that a kiosk with these trust domains
// would use; without, the first with the digitalSignature bit. One for
// signatures that bind (nonRepudiation only) never proves presence.
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
