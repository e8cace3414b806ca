package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim"
)

const defaultReader = "127.0.0.1:35963"

// fastest is the highest bit rate of a card's contact, in bits per second (ISO 7816-3
// §8.3: D = 64, F = 372, 20 MHz, rounded up).
const fastest = 4_000_000

// redial is the interval between attempts to connect to a reader that has gone.
const redial = 250 * time.Millisecond

func insertCommand() *cobra.Command {
	var path, reader string
	var rate int
	c := &cobra.Command{
		Use:   "insert --card FILE",
		Short: "Put a card into the virtual reader until Ctrl-C",
		Long:  "Put a card into the virtual reader and leave it there until Ctrl-C, which pulls\nit out. Wrong PINs are counted in the card's file and a changed PIN is written\nto it, as a real card does in its memory.",
		Args:  cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			return insert(c.Context(), path, reader, rate, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&path, "card", "", "the card's `file`, made by smartkortsim pki")
	c.Flags().StringVar(&reader, "vpcd", defaultReader, "`host:port` at which the virtual reader listens")
	c.Flags().IntVar(&rate, "line", 0, "take the time that a card takes at this `rate` in bit/s, for example 9600 or 250000; 0 takes none")
	return c
}

func insert(ctx context.Context, path, reader string, rate int, stdout io.Writer) error {
	if path == "" {
		return cli.Usagef("--card is missing")
	}
	if rate < 0 || rate > fastest {
		return cli.Usagef("--line takes 0 to %d bit/s", fastest)
	}
	if _, _, err := net.SplitHostPort(reader); err != nil {
		return cli.Usagef("--vpcd takes HOST:PORT: %w", err)
	}
	card, err := cardsim.Load(path)
	if err != nil {
		return err
	}
	before, err := card.Marshal()
	if err != nil {
		return err
	}
	if rate > 0 {
		card.SetLine(cardsim.Line{Rate: rate}, time.Sleep)
	}
	fmt.Fprintf(stdout, "Putting %s into the reader at %s; Ctrl-C pulls it out.\n", path, reader)
	err = leaveIn(ctx, reader, card, stdout)
	after, saveErr := card.Marshal()
	if saveErr == nil && !bytes.Equal(before, after) {
		saveErr = card.Save(path)
	}
	return errors.Join(err, saveErr)
}

// leaveIn keeps the card in the reader until ctx ends. It connects again when pcscd,
// and with it the reader, has gone and come back.
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
