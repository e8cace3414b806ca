package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"smartkiosk/device/smartkort"
	"smartkiosk/kiosk/webeid"
)

// token prints the Web eID token of the card.
func (p program) token(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	origin := flags.String("origin", "", "")
	nonce := flags.String("nonce", "", "")
	pinFile := flags.String("pin-file", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *origin == "" || *nonce == "" || *pinFile == "" {
		return fmt.Errorf("token: --origin, --nonce and --pin-file are needed; %w", errUsage)
	}
	pin, err := p.readPIN(*pinFile)
	if err != nil {
		return fmt.Errorf("cannot read PIN: %w", err)
	}
	defer clear(pin)

	card, _, err := p.open(ctx)
	if err != nil {
		return fmt.Errorf("cannot make token: %w", err)
	}
	defer card.Close()
	token, err := sign(ctx, card, pin, *origin, *nonce)
	if err != nil {
		return fmt.Errorf("cannot make token: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", token)
	return err
}

func sign(ctx context.Context, card *smartkort.Card, pin []byte, origin, nonce string) ([]byte, error) {
	certs, err := card.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	cert, err := authentication(certs)
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

// authentication gives the first certificate with the digitalSignature bit.
// One for signatures that bind (nonRepudiation only) never proves presence.
func authentication(certs []smartkort.Certificate) (smartkort.Certificate, error) {
	for _, c := range certs {
		parsed, err := x509.ParseCertificate(c.DER)
		if err == nil && parsed.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
			return c, nil
		}
	}
	return smartkort.Certificate{}, fmt.Errorf("none of the card's %d certificates is for authentication", len(certs))
}

// maxPINFile is the most bytes that a file may have to hold a PIN.
const maxPINFile = 64

// readPIN gives the first line of a file, - being standard input. The caller
// wipes it; nothing else of it stays behind.
func (p program) readPIN(path string) ([]byte, error) {
	from := p.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	b := make([]byte, maxPINFile)
	n := 0
	for n < len(b) {
		_, err := io.ReadFull(from, b[n:n+1]) // not beyond the line: what follows is somebody else's
		if errors.Is(err, io.EOF) || err == nil && b[n] == '\n' {
			break
		}
		if err != nil {
			clear(b)
			return nil, err
		}
		n++
	}
	if n > 0 && b[n-1] == '\r' {
		n--
	}
	if n == 0 || n == len(b) {
		clear(b)
		return nil, fmt.Errorf("%s: the first line has no PIN", path)
	}
	return b[:n:n], nil
}
