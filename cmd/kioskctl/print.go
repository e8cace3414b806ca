//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the report as text, with the most important facts first.
func (r cardReport) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s"+format+"\n", append([]any{name}, args...)...)
	}
	line("Reader", "%s", r.Reader)
	if r.Application != "" {
		line("Card", "%s, made by %s, serial number %s", orUnknown(r.Label), orUnknown(r.Manufacturer), orUnknown(r.Serial))
		line("", "last changed %s", orUnknown(readable(r.LastUpdate)))
	}
	line("Verdict", "%s", r.Verdict)
	for _, a := range r.Advice {
		line("Advice", "%s", a)
	}
	for _, p := range r.PINs {
		p.print(line)
	}
	for _, k := range r.Keys {
		line("Key", "%q (ID %s), %s, reference %02X, %s", k.Label, orUnknown(k.ID), k.size(), k.Reference, k.use(r.pin(k)))
	}
	for _, c := range r.Certificates {
		c.print(line)
	}
	for _, a := range r.Authorities {
		line("Authority", "%q: %s", a.Label, a.Subject)
	}
	if r.Choice != nil {
		line("Chosen", "%s: %s", orNone(r.Choice.ID), r.Choice.Why)
	}
	if s := r.Signing; s != nil && s.Error == "" {
		line("Signs", "with %s", s.Recipe)
	}
	if r.Signing != nil {
		for _, refused := range r.Signing.Refused {
			line("Refused", "%s", refused)
		}
	}
	for _, problem := range r.Problems {
		line("Skipped", "%s", problem)
	}
	line("ATR", "%s", r.ATR)
	line("", "offers %s, %.4g clocks a bit at the fastest; historical bytes %s", protocols(r.Protocols), r.ClocksPerBit, orUnknown(r.Historical))
	if len(r.Abilities) > 0 {
		line("", "says that it can do %s", strings.Join(r.Abilities, " and "))
	}
	if r.Application != "" {
		line("Spoken to", "by profile %s (%s); application found by %s", r.Profile, r.About, r.Application)
	} else {
		line("Spoken to", "by profile %s (%s); no application found", r.Profile, r.About)
	}
	for _, what := range r.NotPublic {
		line("Not public", "%s", what)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// readable returns a GeneralizedTime in readable form. It returns any other text
// unchanged.
func readable(generalized string) string {
	t, err := time.Parse("20060102150405Z0700", generalized)
	if err != nil {
		return generalized
	}
	return t.UTC().Format(time.RFC3339)
}

func (p pinReport) print(line func(name, format string, args ...any)) {
	kind := "PIN"
	if p.Unblocks {
		kind = "PUK"
	}
	line(kind, "%q, reference %s, %s: %s", p.Label, strings.ToUpper(p.Reference), digits(p.MinLength, p.MaxLength), p.state())
}

// digits returns the length of a PIN in words.
func digits(least, most int) string {
	if least == most {
		return fmt.Sprintf("%d digits", least)
	}
	return fmt.Sprintf("%d to %d digits", least, most)
}

func (c certificateReport) print(line func(name, format string, args ...any)) {
	if c.Problem != "" {
		line("Certificate", "%q (ID %s) cannot be read: %s", c.Label, c.ID, c.Problem)
		return
	}
	line("Certificate", "%q (ID %s): %s", c.Label, c.ID, c.Subject)
	line("", "issued by %s", c.Issuer)
	line("", "valid from %s until %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	line("", "for %s", orUnknown(strings.Join(c.Usage, ", ")))
	line("", "key %s, reference %02X", c.Key, c.KeyReference)
	if c.Verdict != "" {
		line("", "%s", c.Verdict)
	}
}

func (k keyReport) size() string {
	if k.Bits == 0 {
		return k.Kind
	}
	return fmt.Sprintf("%s %d bits", k.Kind, k.Bits)
}

// use returns what a key is for and which PIN guards it. pin is nil if that is unknown.
func (k keyReport) use(pin *pinReport) string {
	var uses []string
	if k.Signs {
		uses = append(uses, "authenticates")
	}
	if k.Binds {
		uses = append(uses, "signs documents")
	}
	if pin != nil {
		uses = append(uses, fmt.Sprintf("guarded by %q", pin.Label))
	}
	switch {
	case k.Consent == 1:
		uses = append(uses, "which is asked for each signature")
	case k.Consent > 1:
		uses = append(uses, fmt.Sprintf("which is asked for every %d signatures", k.Consent))
	}
	return orUnknown(strings.Join(uses, ", "))
}

func (p pinReport) state() string {
	switch {
	case p.Inactive:
		return "not active"
	case p.Unset:
		return "the card needs no PIN: none is set"
	case p.Tries == nil:
		return "the card does not tell the tries left, but answers " + p.Answer
	case *p.Tries == 0:
		return "blocked"
	case *p.Tries == 1:
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", *p.Tries)
}

func protocols(numbers []int) string {
	var names []string
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("T=%d", n))
	}
	return orUnknown(strings.Join(names, " and "))
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return "ID " + s
}
