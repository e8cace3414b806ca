package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smartkiosk/kiosk/hub/rules"
)

const rulesCheckUsage = ` FILE

Says in words what a rules file does, or what is wrong with it. With --subject
it tries one case besides: the first line is allow or deny then. Nobody's
system is asked. Exit status: 0 the file is in order (and the case let in), 1
the case is turned away, 2 the file is wrong or missing.

`

func (m *Main) parseRulesCheck(name string, args []string) error {
	fs := m.flags(name, rulesCheckUsage)
	var c rules.Case
	var at moment
	fs.StringVar(&c.Subject, "subject", "", "try a `holder`, like UN:NO-9578-4050-900000001")
	fs.StringVar(&c.Domain, "domain", "", "the trust `domain` of the holder's certificate")
	fs.StringVar(&c.Kiosk, "kiosk", "", "the kiosk's `id`")
	fs.Var(&at, "at", "the `time`, like 2026-11-22T12:00:00+01:00 (default now)")
	file, err := arguments(fs, args, "FILE")
	if err != nil {
		return err
	}
	if c.Subject == "" && (c.Domain != "" || c.Kiosk != "" || !at.IsZero()) {
		return errors.New("--subject is missing: it is whose case is tried")
	}
	c.At = at.or(time.Now())
	m.run = func(context.Context) error { return m.checkRules(file[0], c) }
	return nil
}

func (m *Main) checkRules(path string, c rules.Case) error {
	f, err := rules.Open(path, nil)
	if err != nil {
		return &unable{err}
	}
	r := f.Rules()
	denied := false
	if c.Subject != "" {
		d := r.Decide(c)
		if denied = !d.Allowed; denied {
			fmt.Fprintln(m.stdout, "deny")
		} else {
			fmt.Fprintln(m.stdout, "allow")
		}
		fmt.Fprintf(m.stdout, "%s\n\n", d.Words())
	}
	for _, line := range r.Words() {
		fmt.Fprintln(m.stdout, line)
	}
	if denied {
		return errRefused
	}
	return nil
}
