package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (p program) feedTailCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "tail NAME",
		Short: "Print a consumer's feed as JSON lines, and acknowledge it",
		Long:  "Print the feed of the consumer NAME, one event a line, until SIGTERM or SIGINT.\n\"kioskhub consumer add\" makes consumers. Printed events are acknowledged and are\nnot sent again, so give each developer a consumer of their own.",
		Args:  cli.Args("NAME"),
		RunE:  func(c *cobra.Command, args []string) error { return p.tail(c.Context(), dir, args[0]) },
	}
	dirFlag(c, &dir)
	return c
}

// tail prints events until ctx ends, each on a line of its own.
func (p program) tail(ctx context.Context, dir, name string) error {
	url, credentials, err := hub.Consumer(dir, name)
	if err != nil {
		return err
	}
	client := hubapi.NewClient(url, credentials.TLS)
	for {
		events, cursor, err := client.Feed(ctx, name, hubapi.DefaultFeedBatch, hubapi.MaxWait)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(events) == 0 {
			continue
		}
		if err := p.printLines(events); err != nil {
			return err
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
