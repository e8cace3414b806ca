// Kioskctl is the technician's tool: it tells what is on a card, changes and
// unblocks its PIN, has a card prove itself, looks into a kiosk's outbox, and
// finds, shows and tries the parts of its front panel.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"smartkiosk/device/board"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
)

const help = `Kioskctl looks after a kiosk: the card in its reader, its outbox, its panel.

Usage:

    kioskctl card [--json] [--trust FILE] [--profiles DIR]
        Tell what is on the card: what is wrong and what helps, its PINs and
        the tries they have left, its keys and certificates, how it is spoken
        to and what is not known of its kind. With the trust domains of FILE
        (trust.toml) also which certificate a kiosk would use, and why. Needs
        no PIN and spends no try.

    kioskctl card pin change [--pin LABEL] [--profiles DIR]
    kioskctl card pin unblock [--pin LABEL] [--profiles DIR]
        Replace the card's PIN by a new one, by the PIN that it has or by the
        PUK. Asks for each without showing what is typed; reads one a line
        when standard input is no terminal: PIN or PUK, new PIN, new PIN. LABEL
        says which PIN, where the card has several.

    kioskctl token --origin ORIGIN --nonce NONCE [--pin-file FILE]
            [--trust FILE] [--profiles DIR]
        Have the card sign, and print a Web eID authentication token (JSON).
        ORIGIN is that of the server that gave NONCE, https://HOST[:PORT].
        Asks for the PIN as above, or takes the first line of FILE.

DIR is a folder of card profiles (*.toml), which come before those compiled in.
Without a card in the reader, all wait for one for 10 seconds.

` + eventsHelp + keyHelp + "\n" + panelHelp

// errUsage says that a command line makes no sense.
var errUsage = errors.New(`see "kioskctl --help"`)

// program is what a command works with.
type program struct {
	slot           slot.Slot
	patience       time.Duration // for a card to be put in
	machine        machine       // whose panel it is
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	board.Guard() // first of all: "panel test" may open a door's strike
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := program{
		slot:     reader.New("", slog.New(slog.DiscardHandler)),
		patience: 10 * time.Second,
		machine:  thisMachine(),
		stdin:    os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}
	err := p.run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kioskctl:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx ends.
func (p program) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command given; %w", errUsage)
	}
	if slices.ContainsFunc(args, asksForHelp) {
		_, err := io.WriteString(p.stdout, help)
		return err
	}
	command, args := args[0], args[1:]
	switch command {
	case "card":
		return p.card(ctx, args)
	case "token":
		return p.token(ctx, args)
	case "key":
		return p.key(args)
	case "events":
		return p.events(ctx, args)
	case "panel":
		return p.panel(ctx, args)
	}
	return fmt.Errorf("unknown command %q; %w", command, errUsage)
}

func asksForHelp(arg string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg)
}

// parse reads the flags of a command, which takes nothing else.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %v; %w", flags.Name(), err, errUsage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected argument %q; %w", flags.Name(), flags.Arg(0), errUsage)
	}
	return nil
}
