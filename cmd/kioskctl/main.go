//go:build linux

// Kioskctl is the technician's tool. It shows what is on a card, changes and unblocks
// its PIN, tests whether a card signs, inspects a kiosk's outbox, finds, shows and
// tests the parts of its front panel, and says what is wrong with a kiosk.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/flash"
	"smartkiosk/device/board"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
)

// program contains what the commands work with.
type program struct {
	slot           slot.Slot
	readers        func(match string) slot.Slot // the slot of the readers whose name contains match
	patience       time.Duration                // how long to wait for a card
	machine        machine                      // the machine whose panel it is
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	board.Guard() // first: this process may be the guardian of the strike that "panel test" opens
	readers := func(match string) slot.Slot { return reader.New(match, slog.New(slog.DiscardHandler)) }
	p := program{
		slot: readers(""), readers: readers,
		patience: 10 * time.Second,
		machine:  thisMachine(),
		stdin:    os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}
	cli.Main(p.command())
}

// command is the program's command line.
func (p program) command() *cobra.Command {
	return cli.Program(&cobra.Command{
		Use:   "kioskctl",
		Short: "The technician's tool for a kiosk",
		Long:  "Kioskctl is the technician's tool: it shows what is on a card, changes and\nunblocks its PIN, reads a kiosk's outbox, finds, shows and tests the parts of its\nfront panel, and says what is wrong with a kiosk.\n\nA command that needs a card waits 10 seconds for one.",
	},
		p.cardCommand(),
		p.tokenCommand(),
		p.eventsCommand(),
		p.clockCommand(),
		p.cards().FlashCommand(),
		p.cards().ProvisionCommand(),
		p.enrolCommand(),
		p.statusCommand(),
		p.resetCommand(),
		cli.Group("key", "Make device keys", "", p.keyCreateCommand()),
		p.panelCommand(),
		p.doctorCommand(),
		p.browserPolicyCommand(),
		p.updateCommand(),
		cli.Group("scproxy", "Learn from official logins", "", p.recordCommand()),
	)
}

// cards has the commands that make SD cards.
func (p program) cards() flash.Program {
	return flash.Program{Root: p.machine.root, Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr}
}

// run runs a command line in this process.
func (p program) run(ctx context.Context, args []string) error {
	return cli.Run(ctx, p.command(), args, p.stdin, p.stdout, p.stderr)
}
