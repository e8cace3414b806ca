// Kioskdemo is the whole system on one machine without hardware: a test PKI
// with software cards, a hub, a kiosk, and a backend that pulls the feed. It
// serves a page in a browser or plays a script.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/board"
)

func main() {
	board.Guard() // first: this process may be the one that holds the door's line
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runDemo(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) && !errors.Is(err, cli.ErrUsage) {
			fmt.Fprintln(os.Stderr, "kioskdemo:", err)
		}
		os.Exit(1)
	}
}
