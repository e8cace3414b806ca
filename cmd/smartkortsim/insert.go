package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"smartkiosk/device/cardsim"
)

const defaultReader = "127.0.0.1:35963"

// fastest is the most bits per second that a card's contact carries (ISO
// 7816-3 §8.3: D = 64, F = 372, 20 MHz, rounded up).
const fastest = 4_000_000

// redial is how often a reader that has gone is looked for.
const redial = 250 * time.Millisecond

// insert is the command insert.
func insert(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("insert", flag.ContinueOnError)
	addr := flags.String("vpcd", defaultReader, "")
	path := flags.String("card", "", "")
	rate := flags.Int("line", 0, "")
	if err := parse(flags, args, stdout); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	switch {
	case *path == "":
		return fmt.Errorf("insert needs --card FILE; %w", errUsage)
	case flags.NArg() != 0:
		return fmt.Errorf("insert does not know what to do with %q; %w", flags.Arg(0), errUsage)
	}
	if *rate < 0 || *rate > fastest {
		return fmt.Errorf("--line takes 1 to %d bit/s; %w", fastest, errUsage)
	}
	if _, _, err := net.SplitHostPort(*addr); err != nil {
		return fmt.Errorf("--vpcd takes HOST:PORT: %w; %w", err, errUsage)
	}
	card, err := cardsim.Load(*path)
	if err != nil {
		return err
	}
	before, err := card.Marshal()
	if err != nil {
		return err
	}
	if *rate > 0 {
		card.SetLine(cardsim.Line{Rate: *rate}, time.Sleep)
	}
	fmt.Fprintf(stdout, "Putting %s into the reader at %s; Ctrl-C pulls it out.\n", *path, *addr)
	err = leaveIn(ctx, *addr, card, stdout)
	after, saveErr := card.Marshal()
	if saveErr == nil && !bytes.Equal(before, after) {
		saveErr = card.Save(*path)
	}
	return errors.Join(err, saveErr)
}

// leaveIn keeps the card in the reader until ctx ends, also when pcscd, and
// the reader with it, goes and comes back.
func leaveIn(ctx context.Context, addr string, card *cardsim.Card, stdout io.Writer) error {
	err := cardsim.ServeVPCD(ctx, addr, card)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf(`%w: is vsmartcard-vpcd installed and pcscd running? "opensc-tool --list-readers" starts it`, err)
	}
	if !errors.Is(err, cardsim.ErrReaderGone) {
		return err
	}
	fmt.Fprintln(stdout, "The reader has gone; the card goes in again when it is back.")
	tick := time.NewTicker(redial)
	defer tick.Stop()
	for errors.Is(err, cardsim.ErrReaderGone) || errors.Is(err, syscall.ECONNREFUSED) {
		select {
		case <-tick.C:
			err = cardsim.ServeVPCD(ctx, addr, card)
		case <-ctx.Done():
			return nil
		}
	}
	return err
}
