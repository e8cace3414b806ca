// Kioskd is the daemon of a card terminal. "kioskd run" drives the devices,
// runs visits and keeps their outcomes until the hub has them.
package main

import (
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
)

func main() {
	board.Guard() // first: this process may be the guardian of the door's line
	hideMemory()
	cli.Main(command())
}

// command is the program's command line.
func command() *cobra.Command {
	return cli.Program(&cobra.Command{
		Use:   "kioskd",
		Short: "The daemon of a card terminal",
		Long:  "Kioskd drives a card terminal: card reader, keypad, display, lamps and door.\nIt asks the hub whether a person may enter, or decides by the hub's policy when\nthe hub cannot be reached, and keeps every outcome until the hub has it.",
	},
		runCommand(), browserCommand())
}
