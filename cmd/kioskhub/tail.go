package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (p program) feedTailCommand() *cobra.Command {
	t := tail{Pull: hubapi.Pull{Max: hubapi.DefaultFeedBatch, Wait: hubapi.MaxWait}}
	c := &cobra.Command{
		Use:   "tail NAME",
		Short: "Print a consumer's feed as JSON lines, and acknowledge it",
		Long: `Print the feed of the consumer NAME, one event a line, until SIGTERM or SIGINT.
"kioskhub consumer add" makes consumers. Printed events are acknowledged and are
not sent again, so give each developer a consumer of their own. With --peek or
--since nothing is acknowledged.

--type, --kiosk and --domain select events and can be repeated. An acknowledgement
also covers the events that were left out.`,
		Args: cli.Args("NAME"),
		RunE: func(c *cobra.Command, args []string) error { return p.tail(c.Context(), t, args[0]) },
	}
	dirFlag(c, &t.dir)
	flags := c.Flags()
	flags.BoolVar(&t.peek, "peek", false, "do not acknowledge what is printed")
	flags.TimeVar(&t.Since, "since", time.Time{}, []string{time.RFC3339}, "print what the hub stored since a `TIME`, such as 2026-11-29T12:00:00Z")
	flags.StringArrayVar(&t.Types, "type", nil, "print only events of this `TYPE`, such as smartkiosk.visit.v1")
	flags.StringArrayVar(&t.Kiosks, "kiosk", nil, "print only events of this `KIOSK`, and the hub's own events about it")
	flags.StringArrayVar(&t.Domains, "domain", nil, "print only events of holders of this trust `DOMAIN`")
	return c
}

// tail is what "kioskhub feed tail" prints.
type tail struct {
	hubapi.Pull
	dir  string
	peek bool
}

// tail prints events until ctx ends, each on a line of its own.
func (p program) tail(ctx context.Context, t tail, name string) error {
	url, credentials, err := hub.Consumer(t.dir, name)
	if err != nil {
		return err
	}
	client := hubapi.NewClient(url, credentials.TLS)
	peek := t.peek || !t.Since.IsZero()
	for {
		events, cursor, err := client.Pull(ctx, name, t.Pull)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.printLines(events); err != nil {
			return err
		}
		if peek {
			t.Since, t.After = time.Time{}, cursor
			continue
		}
		if err := client.AckFeed(ctx, name, cursor); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (p program) printLines(events []json.RawMessage) error {
	var lines bytes.Buffer
	for _, e := range events {
		if err := json.Compact(&lines, e); err != nil {
			return fmt.Errorf("cannot read an event of the feed: %w", err)
		}
		lines.WriteByte('\n')
	}
	_, err := lines.WriteTo(p.stdout)
	return err
}
