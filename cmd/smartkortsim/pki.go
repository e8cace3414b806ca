package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"smartkiosk/device/cardsim/testpki"
)

const pinAndPUK = testpki.PIN + " and the PUK " + testpki.PUK

// makePKI is the command pki.
func makePKI(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("pki", flag.ContinueOnError)
	if err := parse(flags, args, stdout); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("pki takes one folder; %w", errUsage)
	}
	dir := flags.Arg(0)
	if err := testpki.Vacant(dir); err != nil {
		return err
	}
	pki, err := testpki.Mint(time.Now())
	if err != nil {
		return err
	}
	if err := pki.Write(dir); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Test PKI in %s; the cards are in %s/cards, with the PIN %s.\n", dir, dir, pinAndPUK)
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(pki.Holders)) {
		holder := pki.Holders[name]
		fmt.Fprintf(table, "  %s.card\t%s\t%s\n", name, holder.Person.Name(), holder.About)
	}
	kinds, err := pki.Kinds()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(table, "  %s.card\t%s\t%s\n", name, kinds[name].Person.Name(), kinds[name].About)
	}
	return table.Flush()
}
