package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// explanation holds what a token is judged by.
type explanation struct {
	anchors, policies list
	origin, nonce     string
	crls              list
	ocsp              bool
	at                moment
}

func (p program) explainCommand() *cobra.Command {
	var e explanation
	c := &cobra.Command{
		Use:   "explain TOKEN.json",
		Short: "Judge one Web eID token and say why",
		Long: `Judge one Web eID token without a hub; - reads it from standard input. The first
line is ok or the reason code, the rest says why.

--anchors names the CAs to trust. A CA that another of them has issued counts as
an intermediate CA, with its constraints; every other is a trust anchor, whether
self-signed or not (RFC 5280 §6.1.1).

Exit status: 0 the token is valid, 1 it is refused, 2 it could not be judged.`,
		Args: cli.Args("TOKEN.json"),
		RunE: func(c *cobra.Command, args []string) error {
			for _, f := range []struct{ name, value string }{
				{"anchors", e.anchors.String()}, {"policy", e.policies.String()}, {"origin", e.origin}, {"nonce", e.nonce},
			} {
				if f.value == "" {
					return cli.Usagef("--%s is missing", f.name)
				}
			}
			err := p.explain(c.Context(), e, args[0])
			if err != nil && !errors.Is(err, cli.ErrNo) {
				return cannotJudge(err)
			}
			return err
		},
	}
	f := c.Flags()
	f.Var(&e.anchors, "anchors", "CA `files`, PEM or DER, separated by commas")
	f.Var(&e.policies, "policy", "`OID` of a policy that the certificate must name, or several, separated by commas, of which it must name one; \"any\" accepts every policy")
	f.StringVar(&e.origin, "origin", "", "the `origin` that the card signed for, https://host[:port]")
	f.StringVar(&e.nonce, "nonce", "", "the `nonce` that the card signed, base64")
	f.Var(&e.at, "at", "judge as of this `time`, like 2026-11-22T12:00:00+01:00 (default now)")
	f.Var(&e.crls, "crl", "CRL `files` to check, PEM or DER, separated by commas")
	f.BoolVar(&e.ocsp, "ocsp", false, "ask the OCSP responder that the certificate names")
	return c
}

func (p program) explain(ctx context.Context, e explanation, name string) error {
	token, err := readToken(name)
	if err != nil {
		return err
	}
	domain, notes, err := e.domain()
	if err != nil {
		return err
	}
	domains, err := trust.New(domain)
	if err != nil {
		return err
	}
	at := e.at.or(time.Now())
	v := webeid.Validator{Origin: e.origin, Domains: domains}
	if e.ocsp {
		v.OCSP = trust.NewOCSP(http.DefaultTransport, rand.Reader)
	}
	holder, err := v.Validate(ctx, token, e.nonce, at)
	refusal, refused := errors.AsType[*trust.Refusal](err)
	if err != nil && !refused {
		return err
	}
	if refused {
		fmt.Fprintf(p.stdout, "%s\nThe token is refused: %s.\n", refusal.Reason, sentence(refusal.Err))
	} else {
		fmt.Fprintf(p.stdout, "ok\nThe token proves that %s, %s, has signed this nonce for this origin.\n", holder.ID, holder.Name)
	}
	fmt.Fprintf(p.stdout, "Judged as of %s.\n", at.UTC().Format(time.RFC3339))
	describe(p.stdout, token, domains, at)
	for _, note := range notes {
		fmt.Fprintln(p.stdout, note)
	}
	if refused {
		return cli.ErrNo
	}
	return nil
}

// maxTokenFile is the maximum size of a token file in bytes. Every token is shorter.
const maxTokenFile = 1 << 20

func readToken(name string) (token []byte, err error) {
	in := os.Stdin
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return nil, fmt.Errorf("cannot read token: %w", err)
		}
		defer in.Close()
	}
	if token, err = io.ReadAll(io.LimitReader(in, maxTokenFile)); err != nil {
		return nil, fmt.Errorf("cannot read token: %w", err)
	}
	return token, nil
}

// hsmPolicy is the certificate policy of keys that are not on a card. A token with it is
// refused unless --policy names it.
const hsmPolicy = "2.16.578.1.26.1.3.6"

// domain makes a trust domain from the command line's flags. notes are sentences for the
// explanation.
func (e explanation) domain() (d trust.Domain, notes []string, err error) {
	d = trust.Domain{Name: "explain", Policies: e.policies, Subject: trust.SubjectBuypass}
	if !slices.Contains(d.Policies, hsmPolicy) {
		d.RefusedPolicies = []string{hsmPolicy}
	}
	var cas []*x509.Certificate
	for _, name := range e.anchors {
		found, err := trust.ReadCertificates(name)
		if err != nil {
			return d, nil, fmt.Errorf("cannot read --anchors: %w", err)
		}
		for _, c := range found {
			if err := trust.CheckCA(c); err != nil {
				notes = append(notes, fmt.Sprintf("Left out of --anchors: %q, as %s.", c.Subject.CommonName, err))
				continue
			}
			cas = append(cas, c)
		}
	}
	for _, c := range cas {
		if slices.ContainsFunc(cas, func(above *x509.Certificate) bool { return issuedBy(c, above) }) {
			d.Intermediates = append(d.Intermediates, c)
		} else {
			d.Anchors = append(d.Anchors, c)
		}
	}
	if len(d.Anchors) == 0 {
		return d, nil, errors.Join(append([]error{errors.New("--anchors names no CA that can be an anchor")}, sentences(notes)...)...)
	}
	d.Unrevocable = !e.ocsp && len(e.crls) == 0
	if d.Unrevocable {
		return d, append(notes, "Revocation was not asked about: neither --crl nor --ocsp is given."), nil
	}
	// The rules for OCSP are set although no responder is asked. Without them a domain
	// whose CRLs are all unusable would be one without revocation, and the status would not
	// be reported as unknown.
	d.OCSP = &trust.OCSPRules{}
	for _, name := range e.crls {
		f, err := os.Open(name)
		if err != nil {
			return d, nil, fmt.Errorf("cannot read --crl: %w", err)
		}
		crl, err := trust.ReadCRL(f, cas)
		f.Close()
		if err != nil {
			notes = append(notes, fmt.Sprintf("The CRL %s is of no use: %s.", name, err))
			continue
		}
		notes = append(notes, fmt.Sprintf("The CRL %s of %s lists %d certificates.", name, crl.ThisUpdate.UTC().Format(time.RFC3339), crl.Len()))
		d.CRLs = append(d.CRLs, crl)
	}
	if e.ocsp {
		notes = append(notes, "The OCSP responder that the certificate names was to be asked, if nothing before that refused it.")
	}
	return d, notes, nil
}

// issuedBy reports whether c is a CA that another CA has issued.
func issuedBy(c, above *x509.Certificate) bool {
	return !bytes.Equal(c.RawSubject, c.RawIssuer) && bytes.Equal(c.RawIssuer, above.RawSubject) && c.CheckSignatureFrom(above) == nil
}

// describe prints the contents of the certificate, if the token has a readable one.
func describe(w io.Writer, token []byte, domains *trust.Domains, at time.Time) {
	t, err := webeid.Parse(token)
	if err != nil {
		return
	}
	cert, err := trust.ParseCertificate(t.Certificate)
	if err != nil {
		return
	}
	var policies []string
	for _, p := range cert.Policies {
		policies = append(policies, p.String())
	}
	fmt.Fprintf(w, "Its certificate is issued by %q, valid %s to %s, for policies %s; signed with %s.\n",
		cert.Issuer.CommonName, cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339),
		strings.Join(policies, " "), t.Algorithm)
	path, err := domains.Path(cert, trust.Authenticate, at)
	if err != nil {
		return
	}
	var names []string
	for _, c := range path.Chain[1:] {
		names = append(names, fmt.Sprintf("%q", c.Subject.CommonName))
	}
	fmt.Fprintf(w, "Its path to an anchor: %s.\n", strings.Join(names, ", then "))
}

// sentence returns the text of an error of several lines as one line.
func sentence(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func sentences(notes []string) (errs []error) {
	for _, n := range notes {
		errs = append(errs, errors.New(n))
	}
	return errs
}
