// Smartkortsim makes identity cards in software and puts them into a virtual
// PC/SC reader, for developers and for technicians without a test card.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"smartkiosk/device/cardsim/testpki"
)

const help = `Smartkortsim makes identity cards in software and puts them into a virtual
card reader. Programs that use PC/SC see them as they see a real Smartkort.

Usage:

    smartkortsim pki DIR
        Make a test PKI in the folder DIR: certificate authorities, an OCSP
        responder, a CRL, and cards in DIR/cards: Smartkorts, one for each
        kind of trouble, and cards of other kinds: two-pin, no-aid, applet, t1
        and mixed. Takes some seconds.

    smartkortsim insert [--vpcd ADDRESS] [--line RATE] --card FILE
        Put the card FILE into the virtual reader and leave it in until
        Ctrl-C, which pulls it out. Tries spent and a changed PIN are kept in
        FILE, as a real card keeps them. With --line the bytes take the time
        that they take at RATE bit/s, as 9600 or 250000; else they take none.

The virtual reader comes with the package vsmartcard-vpcd and listens at
` + defaultReader + ` once pcscd runs; "opensc-tool --list-readers" starts
pcscd and shows the reader as "Virtual PCD 00 00".

Every card has the PIN ` + pinAndPUK + `;
t1 has the PIN ` + testpki.LongPIN + `, as two-pin has for signatures. The cards prove nobody's
identity: their keys lie in the clear in their files.
`

// errUsage says that a command line makes no sense.
var errUsage = errors.New(`see "smartkortsim --help"`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "smartkortsim:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no command given; %w", errUsage)
	}
	switch command, rest := args[0], args[1:]; command {
	case "pki":
		return makePKI(rest, stdout)
	case "insert":
		return insert(ctx, rest, stdout)
	case "help", "--help", "-help", "-h":
		_, err := io.WriteString(stdout, help)
		return err
	default:
		return fmt.Errorf("unknown command %q; %w", command, errUsage)
	}
}

// parse reads a command's flags. It gives flag.ErrHelp when help was asked
// for and shown.
func parse(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(stdout, help)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	return nil
}
