//go:build linux

package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/sealkey"
)

// defaultSocket is the socket of an installed kioskd.
const defaultSocket = "/var/lib/smartkiosk/kioskd.sock"

// errFaults means that verify has found faults. They are printed.
var errFaults = errors.New("the events are not as they were written")

const eventsHelp = `Each command reads the events from --from: the socket of a running kioskd
(kioskd.sock in its state folder), a copy of its outbox.db, or what export
printed. The commands change none of them.`

func (p program) eventsCommand() *cobra.Command {
	var seal, certificate string
	verify := p.eventsSubcommand("verify", "Find events that are altered, missing, repeated or out of order",
		`Find every event that is altered, missing, repeated or out of order, and say
which. With --seal and --certificate the command opens the events and checks their
signatures and their chain. Without them it finds accidents only.`,
		func(ctx context.Context, source source) error {
			v, err := newVerifier(seal, certificate)
			if err != nil {
				return err
			}
			return p.verify(ctx, source, v)
		})
	verify.Flags().StringVar(&seal, "seal", "", "`files` with the hub's private sealing keys (seal.jwk), separated by commas")
	verify.Flags().StringVar(&certificate, "certificate", "", "`file` with the kiosk's certificate")
	return cli.Group("events", "Read and verify the events that a kiosk keeps", "Read and verify the events that a kiosk keeps.\n\n"+eventsHelp,
		p.eventsSubcommand("list", "List the events",
			"List the events: sequence number, time, type and whether the hub has it.", p.list),
		verify,
		p.eventsSubcommand("export", "Print the sealed events as JSON",
			"Print the events as they are sealed, as a CloudEvents batch (JSON).", p.export),
		p.deliverCommand())
}

func (p program) eventsSubcommand(name, about, long string, do func(context.Context, source) error) *cobra.Command {
	var from string
	c := &cobra.Command{
		Use:   name,
		Short: about,
		Long:  long + "\n\n" + eventsHelp,
		Args:  cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			source, err := openSource(from)
			if err != nil {
				return fmt.Errorf("cannot read events: %w", err)
			}
			if err := do(c.Context(), source); errors.Is(err, cli.ErrUsage) {
				return err
			} else if err != nil {
				return fmt.Errorf("cannot %s events of %s: %w", name, from, err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&from, "from", defaultSocket, "socket or `file` to read")
	return c
}

func (p program) list(ctx context.Context, source source) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EPOCH\tSEQUENCE\tTIME\tTYPE\tBYTES\tHUB")
	s, err := source.each(ctx, func(e sealed) error {
		h, err := event.Peek(e.text)
		if err != nil {
			fmt.Fprintf(w, "-\t%d\t%v\n", e.position, err)
			return nil
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\n", cmp.Or(h.Epoch, "-"), h.Sequence, h.Time.Format("2006-01-02 15:04:05Z"), h.Type, len(e.text), e.state)
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range s.lost {
		fmt.Fprintf(w, "-\t%d\tcannot be read, through %d\n", l.From, l.Through)
	}
	return w.Flush()
}

func (p program) export(ctx context.Context, source source) error {
	out := bufio.NewWriter(p.stdout)
	before := "["
	_, err := source.each(ctx, func(e sealed) error {
		_, err := fmt.Fprintf(out, "%s\n%s", before, e.text)
		before = ","
		return err
	})
	if err != nil {
		return err
	}
	if before == "[" {
		fmt.Fprint(out, "[")
	}
	fmt.Fprint(out, "\n]\n")
	return out.Flush()
}

// verifyAtOnce is the number of events that are verified together. The last event of
// each lot is also the first of the next one, so that its link is checked too.
const verifyAtOnce = 1000

func (p program) verify(ctx context.Context, source source, v verifier) error {
	faults, events := 0, 0
	var first, last uint64
	epochs := map[string]bool{}
	tell := func(format string, args ...any) {
		faults++
		fmt.Fprintf(p.stdout, format+"\n", args...)
	}
	var lot []sealed
	carried := false // the first event of this lot was also the last of the previous lot
	check := func() {
		for _, f := range v.check(lot) {
			if f.Place == 0 && carried {
				continue
			}
			if f.Through > f.Sequence {
				tell("events %d to %d: %v", f.Sequence, f.Through, f.Err)
			} else {
				tell("event %d: %v", f.Sequence, f.Err)
			}
		}
	}
	s, err := source.each(ctx, func(e sealed) error {
		events++
		if last = e.Sequence; events == 1 {
			first = e.Sequence
		}
		epochs[e.Epoch] = true
		lot = append(lot, e)
		if len(lot) > verifyAtOnce {
			check()
			lot, carried = lot[len(lot)-1:], true
		}
		return nil
	})
	if err != nil {
		return err
	}
	check()
	if s.damage != nil {
		tell("the file: %v", s.damage)
	}
	for _, l := range s.lost {
		tell("events %d to %d: cannot be read", l.From, l.Through)
	}
	switch {
	case faults > 0:
	case len(epochs) > 1:
		fmt.Fprintf(p.stdout, "%d events in %d epochs: %s\n", events, len(epochs), v.found)
	default:
		fmt.Fprintf(p.stdout, "%d events, %d to %d: %s\n", events, first, last, v.found)
	}
	if v.opener == nil {
		fmt.Fprintln(p.stdout, "Only accidents were looked for: without --seal and --certificate it does not show whether somebody altered an event or put another in its place.")
	}
	if faults > 0 {
		return errFaults
	}
	return nil
}

// verifier checks events.
type verifier struct {
	opener *event.Opener // nil without keys
	device crypto.PublicKey
	found  string // printed when nothing is wrong
}

func newVerifier(sealFiles, certificateFile string) (verifier, error) {
	switch {
	case sealFiles == "" && certificateFile == "":
		return verifier{found: "none missing, repeated or out of order"}, nil
	case sealFiles == "" || certificateFile == "":
		return verifier{}, cli.Usagef("--seal and --certificate must be given together")
	}
	var keys []jose.JSONWebKey
	for _, file := range commaList(sealFiles) {
		found, err := sealkey.ReadPrivate(file)
		if err != nil {
			return verifier{}, err
		}
		for _, k := range found {
			keys = append(keys, k.JSONWebKey)
		}
	}
	text, err := os.ReadFile(certificateFile)
	if err != nil {
		return verifier{}, fmt.Errorf("cannot read certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return verifier{}, fmt.Errorf("cannot read certificate: %s holds no PEM", certificateFile)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return verifier{}, fmt.Errorf("cannot read certificate %s: %w", certificateFile, err)
	}
	return verifier{
		opener: event.NewOpener(keys...), device: certificate.PublicKey,
		found: "each the kiosk's own, unaltered and in its place",
	}, nil
}

// check returns the faults of a lot of events.
func (v verifier) check(lot []sealed) []event.Fault {
	var faults []event.Fault
	texts := make([][]byte, len(lot))
	for i, e := range lot {
		texts[i] = e.text
		if _, err := event.Peek(e.text); err != nil && v.opener == nil {
			faults = append(faults, event.Fault{Place: i, Sequence: e.position, Through: e.position, Err: err})
		}
	}
	if v.opener != nil {
		return append(faults, v.opener.Verify(texts, v.device)...)
	}
	return append(faults, inOrder(lot)...)
}

// inOrder returns the faults that the sequence numbers alone reveal: repeated,
// reordered and missing events of an epoch.
func inOrder(lot []sealed) (faults []event.Fault) {
	newest := map[string]uint64{}
	type place struct {
		epoch    string
		sequence uint64
	}
	seen := map[place]bool{}
	for i, e := range lot {
		fault := func(from, through uint64, err error) {
			faults = append(faults, event.Fault{Place: i, Sequence: from, Through: through, Err: err})
		}
		at := place{e.Epoch, e.Sequence}
		switch last := newest[e.Epoch]; {
		case seen[at]:
			fault(e.Sequence, e.Sequence, event.ErrRepeated)
		case e.Sequence < last:
			fault(e.Sequence, e.Sequence, event.ErrReordered)
		case last != 0 && e.Sequence > last+1:
			fault(last+1, e.Sequence-1, event.ErrMissing)
		}
		seen[at] = true
		newest[e.Epoch] = max(newest[e.Epoch], e.Sequence)
	}
	return faults
}
