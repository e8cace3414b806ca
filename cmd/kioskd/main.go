// Kioskd is the daemon of a card terminal. "kioskd run" drives the devices,
// runs visits and keeps their outcomes until the hub has them; "kioskd demo"
// is the whole system on one machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"smartkiosk/device/board"
)

const usage = `kioskd drives a card terminal.

  kioskd run --config FILE   serve, as FILE says (kioskhub kiosk add writes one)
  kioskd demo                the whole system on this machine, without hardware
  kioskd version

"kioskd COMMAND -h" tells more of each.
`

func main() {
	board.Guard() // first: this process may be the one that holds the door's line
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) && !errors.Is(err, errUsage) {
			fmt.Fprintln(os.Stderr, "kioskd:", err)
		}
		os.Exit(1)
	}
}

// errUsage says that the arguments were wrong and the person has been told.
var errUsage = errors.New("wrong arguments")

// run is the program, for main and for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return runKiosk(ctx, args, stderr)
	case "demo":
		return runDemo(ctx, args, stdin, stdout, stderr)
	case "version":
		_, err := fmt.Fprintln(stdout, version())
		return err
	case "-h", "-help", "--help", "help":
		_, err := io.WriteString(stdout, usage)
		return err
	case "":
		_, _ = io.WriteString(stderr, usage)
		return errUsage
	}
	return fmt.Errorf("there is no command %q; \"kioskd help\" lists them", command)
}

// parse reads flags and refuses anything behind them.
func parse(flags *flag.FlagSet, args []string, stderr io.Writer) error {
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there is no use for %q", flags.Arg(0))
	}
	return nil
}

// version is that of the module or, in a checkout, of the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value
		}
	}
	if v == "" {
		return "unknown"
	}
	return v
}
