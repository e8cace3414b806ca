// Kioskctl is the technician's tool. On macOS it makes SD cards for kiosks; all other
// commands need the hardware of a kiosk, or a kiosk itself.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/flash"
)

func main() {
	p := flash.Program{Root: "/", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	cli.Main(cli.Program(&cobra.Command{
		Use:   "kioskctl",
		Short: "Make SD cards for kiosks",
		Long:  "Kioskctl makes SD cards for kiosks. Its other commands are only there on Linux.",
	},
		p.FlashCommand(),
		p.ProvisionCommand(),
	))
}
