//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/apdu/script"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/smartkort"
)

// learnOptions are the flags of card learn.
type learnOptions struct {
	name, trust, script string
	from                string // recording
	skip                int

	certificate, object, aid, path, kind, encoding string // hints
	key, pin, pad                                  uint8
	min, max, stored                               int
}

func (p program) learnCommand() *cobra.Command {
	var o learnOptions
	c := &cobra.Command{
		Use:   "learn",
		Short: "Find out how a card signs, and print a profile for it",
		Long: `Find out how a card of an unknown kind signs, and print a card profile (TOML).
The command asks for the PIN once and sends it once, and only if at least three tries
are left. It tries ways of signing from the usual to the odd, until one gives a valid
signature, and stops if the card forgets the PIN or spends a try.

A card without a directory by ISO 7816-15 needs hints: --certificate-path or
--certificate-object, and usually --key-reference and --pin-reference.

With --from the command needs no card and no PIN: it makes the profile from the
recording of an official login (kioskctl scproxy record) and says which parts it is
sure of. Prove the profile with kioskctl card --sign.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.from == "" {
				return p.learn(c.Context(), o)
			}
			var other string
			c.Flags().Visit(func(f *pflag.Flag) {
				if f.Name != "from" && f.Name != "name" {
					other = f.Name
				}
			})
			if other != "" {
				return cli.Usagef("--%s does not apply to a recording (--from)", other)
			}
			return p.learnFrom(o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "learned", "`name` of the profile")
	f.StringVar(&o.from, "from", "", "make the profile from this `recording`")
	f.StringVar(&o.script, "script", "", "write the APDUs to this `file`, without the PIN")
	f.IntVar(&o.skip, "skip", 0, "`number` of ways of signing to skip, as an earlier attempt advised")
	trustFlag(c, &o.trust)
	f.StringVar(&o.certificate, "certificate-path", "", "hint: `path` of the certificate, starting with 3F00, or its identifier in the application")
	f.StringVar(&o.object, "certificate-object", "", "hint: `tag` of the certificate's data object, such as 5FC105")
	f.StringVar(&o.aid, "application-aid", "", "hint: `AID` of the application with the PIN and the keys")
	f.StringVar(&o.path, "application-path", "", "hint: `path` of the application, starting with 3F00")
	f.StringVar(&o.kind, "key-kind", "rsa", "hint: `kind` of the key, rsa or ec")
	f.Uint8Var(&o.key, "key-reference", 1, "hint: `reference` of the key, such as 0x01")
	f.Uint8Var(&o.pin, "pin-reference", 1, "hint: `reference` of the PIN, such as 0x81")
	f.StringVar(&o.encoding, "pin-encoding", "ascii", "hint: `encoding` of the PIN: ascii, bcd or utf8")
	f.IntVar(&o.min, "pin-min", 4, "hint: least `number` of digits")
	f.IntVar(&o.max, "pin-max", 8, "hint: greatest `number` of digits")
	f.IntVar(&o.stored, "pin-stored", 8, "hint: `number` of bytes of the PIN in a command")
	f.Uint8Var(&o.pad, "pin-pad", 0xFF, "hint: padding `byte` of the PIN, such as 0xFF")
	return c
}

// hint returns the profile that the hints describe, nil without hints.
func (o learnOptions) hint() (*smartkort.Profile, error) {
	if o.certificate == "" && o.object == "" {
		return nil, nil
	}
	text := fmt.Sprintf(`name = %q
about = "described by hints"
[application]
aid = %q
path = %q
[verify]
classes = [0x00]
[pin]
label = "PIN"
reference = %d
encoding = %q
min = %d
max = %d
stored = %d
pad = %d
[[key]]
label = "Authentication"
kind = %q
use = "authentication"
reference = %d
certificate = %q
object = %q
[change]
recipe = "unknown"
[unblock]
recipe = "unknown"
`, o.name, o.aid, o.path, o.pin, o.encoding, o.min, o.max, o.stored, o.pad, o.kind, o.key, o.certificate, o.object)
	hint, err := smartkort.ParseProfile([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("cannot use hints: %w", err)
	}
	return hint, nil
}

// learn finds out how the card in the reader signs, and prints its profile.
func (p program) learn(ctx context.Context, o learnOptions) error {
	domains, err := loadDomains(o.trust)
	if err != nil {
		return err
	}
	hint, err := o.hint()
	if err != nil {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, p.patience)
	defer stop()
	if _, err := p.await(waiting); err != nil {
		return fmt.Errorf("cannot learn card: %w", err)
	}
	conn, err := p.slot.Connect(ctx)
	if err != nil {
		return fmt.Errorf("cannot learn card: %w", err)
	}
	learned, err := smartkort.Driver{}.Learn(ctx, conn, smartkort.Lesson{
		Name: o.name, Skip: o.skip, Hint: hint,
		Choose: func(certs []smartkort.Certificate) (smartkort.Certificate, error) {
			return authentication(certs, domains)
		},
		AskPIN: func(pin smartkort.PIN) ([]byte, error) {
			return p.ask(ctx, fmt.Sprintf("PIN %q, %s", pin.Label, digits(pin.MinLength, pin.MaxLength)))
		},
	})
	if o.script != "" && learned.Script != "" {
		err = errors.Join(err, os.WriteFile(o.script, []byte(learned.Script), 0o600))
	}
	for _, refused := range learned.Refused {
		fmt.Fprintf(p.stderr, "Refused: %s: %v\n", refused.Recipe, refused.Err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "The card signs with %s.\n", learned.Recipe)
	_, err = fmt.Fprint(p.stdout, learned.Profile)
	return err
}

// learnFrom makes a profile from a recording.
func (p program) learnFrom(o learnOptions) error {
	f, err := os.Open(o.from)
	if err != nil {
		return fmt.Errorf("cannot read recording: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, recording.MaxFile+1))
	if err != nil {
		return fmt.Errorf("cannot read recording: %w", err)
	}
	if len(text) > recording.MaxFile {
		return fmt.Errorf("cannot read recording %s: it is longer than %d MiB", o.from, recording.MaxFile>>20)
	}
	recorded, err := script.Parse(string(text))
	if err != nil {
		return fmt.Errorf("cannot read recording %s: %w", o.from, err)
	}
	learned, err := smartkort.LearnFrom(recorded, o.name)
	if err != nil {
		return err
	}
	for _, sure := range learned.Sure {
		fmt.Fprintf(p.stderr, "Sure:   %s\n", sure)
	}
	for _, unsure := range learned.Unsure {
		fmt.Fprintf(p.stderr, "Unsure: %s\n", unsure)
	}
	_, err = fmt.Fprint(p.stdout, learned.Profile)
	return err
}
