// Smartkortsim makes identity cards in software and puts them into a virtual
// PC/SC reader, for developers and for technicians without a test card.
package main

import (
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim/testpki"
)

const about = `Smartkortsim makes identity cards in software and puts them into a virtual card
reader. Programs that use PC/SC see them as they see a real Smartkort.

The package vsmartcard-vpcd brings the virtual reader. It listens at
` + defaultReader + ` once pcscd runs; "opensc-tool --list-readers" starts pcscd and
shows the reader as "Virtual PCD 00 00".

Every card has the PIN ` + pinAndPUK + `. Two PINs
differ: that of the card t1 and that for signatures of the card two-pin are
` + testpki.LongPIN + `. The cards prove nobody's identity, because their private keys are
readable in their files.`

func main() { cli.Main(command()) }

// command is the program's command line.
func command() *cobra.Command {
	return cli.Program(&cobra.Command{
		Use:   "smartkortsim",
		Short: "Identity cards in software, in a virtual card reader",
		Long:  about,
	},
		pkiCommand(), insertCommand())
}
