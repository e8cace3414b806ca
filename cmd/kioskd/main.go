// Kioskd is the daemon of a card terminal. "kioskd run" drives the devices,
// runs visits and keeps their outcomes until the hub has them.
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

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
)

const usage = `kioskd drives a card terminal.

  kioskd run --config FILE   serve, as FILE says (kioskhub kiosk add writes one)
  kioskd version

"kioskd COMMAND -h" tells more of each.
`

func main() {
	board.Guard() // first: this process may be the one that holds the door's line
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) && !errors.Is(err, cli.ErrUsage) {
			fmt.Fprintln(os.Stderr, "kioskd:", err)
		}
		os.Exit(1)
	}
}

// run is the program, for main and for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return runKiosk(ctx, args, stderr)
	case "version":
		_, err := fmt.Fprintln(stdout, cli.Version())
		return err
	case "-h", "-help", "--help", "help":
		_, err := io.WriteString(stdout, usage)
		return err
	case "":
		_, _ = io.WriteString(stderr, usage)
		return cli.ErrUsage
	}
	return fmt.Errorf("there is no command %q; \"kioskd help\" lists them", command)
}
