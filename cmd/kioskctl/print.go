package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the report in words.
func (r cardReport) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s"+format+"\n", append([]any{name}, args...)...)
	}
	line("Reader", "%s", r.Reader)
	line("Card", "%s, made by %s, serial number %s", orUnknown(r.Label), orUnknown(r.Manufacturer), orUnknown(r.Serial))
	if r.LastUpdate != "" {
		line("", "last changed %s", r.LastUpdate)
	}
	line("ATR", "%s", r.ATR)
	line("", "offers %s; historical bytes %s", protocols(r.Protocols), orUnknown(r.Historical))
	line("Spoken to", "by profile %s (%s); application found by %s", r.Profile, r.About, r.Application)
	for _, what := range r.NotPublic {
		line("", "not public: %s", what)
	}
	for _, p := range r.PINs {
		kind := "PIN"
		if p.Unblocks {
			kind = "PUK"
		}
		digits := fmt.Sprintf("%d to %d digits", p.MinLength, p.MaxLength)
		if p.MinLength == p.MaxLength {
			digits = fmt.Sprintf("%d digits", p.MinLength)
		}
		line(kind, "%q, reference %s, %s: %s", p.Label, p.Reference, digits, p.state())
	}
	for _, k := range r.Keys {
		line("Key", "%q (ID %s), %s, reference %d, %s", k.Label, k.ID, k.size(), k.Reference, k.use())
	}
	for _, c := range r.Certificates {
		c.print(line)
	}
	if len(r.Certificates) == 0 {
		line("Certificates", "none that belongs to a key of the card")
	}
	for _, a := range r.Authorities {
		line("Authority", "%q: %s", a.Label, a.Subject)
	}
	if r.Choice != nil {
		line("Chosen", "%s: %s", orNone(r.Choice.ID), r.Choice.Why)
	}
	for _, a := range r.Advice {
		line("Advice", "%s", a)
	}
	_, err := io.WriteString(w, b.String())
	return err
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
	line("", "key %s, reference %d", c.Key, c.KeyReference)
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

func (k keyReport) use() string {
	var uses []string
	if k.Signs {
		uses = append(uses, "authenticates")
	}
	if k.Binds {
		uses = append(uses, "signs documents")
	}
	if k.PIN != "" {
		uses = append(uses, "guarded by PIN "+k.PIN)
	}
	if k.Consent > 0 {
		uses = append(uses, fmt.Sprintf("PIN anew after %d signatures", k.Consent))
	}
	return orUnknown(strings.Join(uses, ", "))
}

func (p pinReport) state() string {
	switch {
	case p.Inactive:
		return "not active"
	case p.Tries == nil:
		return "the card does not tell the tries left"
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
