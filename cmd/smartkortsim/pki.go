package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim/testpki"
)

const pinAndPUK = testpki.PIN + " and the PUK " + testpki.PUK

func pkiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pki DIR",
		Short: "Make a test PKI with cards in a folder",
		Long:  "Make a test PKI in the folder DIR: certificate authorities, an OCSP responder, a\nCRL, and cards in DIR/cards. There is a Smartkort for each kind of trouble, and\none card of each other kind: two-pin, no-aid, applet, t1, isoapplet, oseid,\npiv, esteid, fineid and mixed. It takes several seconds.",
		Args:  cli.Args("DIR"),
		RunE:  func(c *cobra.Command, args []string) error { return makePKI(args[0], c.OutOrStdout()) },
	}
}

func makePKI(dir string, stdout io.Writer) error {
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
