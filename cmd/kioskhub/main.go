// Kioskhub is the backend of the kiosks. It makes a hub's folder, runs the hub, manages the
// certificates of kiosks, consumers and operators, and shows a consumer's feed.
package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/protocol/hubapi"
)

func main() {
	p := newProgram(os.Stdout, os.Stderr)
	cli.Main(p.command())
}

// program holds the outputs of the commands and of the log.
type program struct {
	stdout, stderr io.Writer
	log            *slog.Logger
}

func newProgram(stdout, stderr io.Writer) program {
	return program{stdout: stdout, stderr: stderr, log: slog.New(slog.NewTextHandler(stderr, nil))}
}

// command returns the program's command line.
func (p program) command() *cobra.Command {
	return cli.Program(&cobra.Command{
		Use:   "kioskhub",
		Short: "The backend of card terminals",
		Long:  "Kioskhub is the backend of card terminals. A hub lives in one folder, which init\nmakes. Most commands work in that folder: --dir names it, default is the current\nfolder.",
	},
		p.initCommand(),
		p.serveCommand(),
		cli.Group("kiosk", "Manage kiosks", "", append([]*cobra.Command{p.kioskAddCommand()}, p.clientCommands(hubapi.RoleKiosk)...)...),
		p.consumerCommand(),
		p.operatorCommand(),
		p.codesCommand(),
		p.documentCommand(),
		p.updateCommand(),
		p.doctorCommand(),
		p.urlCommand(),
		p.clusterCommand(),
		p.migrateCommand(),
		p.brokerCommand(),
		cli.Group("seal", "Manage the keys that events are sealed to", "", p.sealListCommand(), p.sealRotateCommand(), p.sealRetireCommand()),
		cli.Group("feed", "Read a consumer's feed, and move its cursor", "", p.feedTailCommand(), p.feedResetCommand()),
		p.sizingCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		cli.Group("rules", "Check rules files", "", p.rulesCheckCommand()),
		p.explainCommand(),
		p.simulateCommand(),
	)
}

// dirFlag adds the --dir flag, which all commands that work in a hub's folder have.
func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", ".", "the hub's `folder`")
}

// cannotJudge gives err the exit status of a command that could not reach a judgement.
func cannotJudge(err error) error { return cli.WithStatus(cli.StatusUsage, err) }
