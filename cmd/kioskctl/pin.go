//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/smartkort"
)

const pinHelp = `The command asks for each secret and does not show what is typed. If standard
input is not a terminal, it reads one secret a line: the PIN or PUK, the new PIN,
and the new PIN again.`

func (p program) pinCommand(action, about, help string) *cobra.Command {
	var label, profiles string
	c := &cobra.Command{
		Use:   action,
		Short: about,
		Long:  about + ".\n\n" + help,
		Args:  cli.Args(),
		RunE:  func(c *cobra.Command, _ []string) error { return p.pin(c.Context(), action, label, profiles) },
	}
	c.Flags().StringVar(&label, "pin", "", "the `label` of the PIN, if the card has several")
	profilesFlag(c, &profiles)
	return c
}

// pin changes a PIN, or unblocks it with the PUK.
func (p program) pin(ctx context.Context, action, label, profiles string) error {
	known, err := loadProfiles(profiles)
	if err != nil {
		return err
	}
	card, _, err := p.open(ctx, known)
	if err != nil {
		return fmt.Errorf("cannot %s PIN: %w", action, err)
	}
	defer card.Close()
	pins, err := card.PINs(ctx)
	if err != nil {
		return fmt.Errorf("cannot %s PIN: %w", action, err)
	}
	pin, err := choosePIN(pins, label)
	if err != nil {
		return fmt.Errorf("cannot %s PIN: %w", action, err)
	}
	what, do := fmt.Sprintf("PIN %q as it is now", pin.Label), card.ChangePIN
	if action == "unblock" {
		what, do = "PUK", card.UnblockPIN
	}
	if err := p.replacePIN(ctx, pin, what, do); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "The new PIN %q is valid from now on.\n", pin.Label)
	return nil
}

// replacePIN asks for the old PIN or the PUK and for the new PIN, and calls do
// with them.
func (p program) replacePIN(ctx context.Context, pin smartkort.PIN, what string, do func(ctx context.Context, pin smartkort.PIN, by, new []byte) error) error {
	by, err := p.ask(ctx, what)
	defer clear(by)
	if err != nil {
		return err
	}
	new, err := p.ask(ctx, fmt.Sprintf("New PIN %q, %s", pin.Label, digits(pin.MinLength, pin.MaxLength)))
	defer clear(new)
	if err != nil {
		return err
	}
	again, err := p.ask(ctx, "New PIN once more")
	defer clear(again)
	if err != nil {
		return err
	}
	if !slices.Equal(new, again) {
		return errors.New("the two entries of the new PIN differ: nothing was changed")
	}
	err = do(ctx, pin, by, new)
	if errors.Is(err, smartkort.ErrNotPublic) {
		return fmt.Errorf("%w. The holder can do it on the issuer's own page. If you have the card's specification, add the command to a profile (--profiles)", err)
	}
	return err
}

// choosePIN returns the PIN with this label, or the only PIN.
func choosePIN(pins []smartkort.PIN, label string) (smartkort.PIN, error) {
	var labels []string
	var found []smartkort.PIN
	for _, p := range pins {
		if p.Unblocking || p.Officer {
			continue
		}
		labels = append(labels, fmt.Sprintf("%q", p.Label))
		if label == "" || p.Label == label {
			found = append(found, p)
		}
	}
	switch {
	case len(labels) == 0:
		return smartkort.PIN{}, errors.New("the card describes no PIN")
	case len(found) != 1:
		return smartkort.PIN{}, fmt.Errorf("the card has several PINs, %s; choose one with --pin", strings.Join(labels, ", "))
	}
	return found[0], nil
}
