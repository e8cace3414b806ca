package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/hubapi"
)

func (m *Main) parseFeedTail(name string, args []string) error {
	fs := m.flags(name, " NAME\n\nNAME is a consumer made by `kioskhub consumer add`. What was printed is\nacknowledged and does not come again, so give a developer a name of their own.\n")
	dir := dirFlag(fs)
	rest, err := arguments(fs, args, "NAME")
	if err != nil {
		return err
	}
	m.run = func(ctx context.Context) error { return m.tail(ctx, *dir, rest[0]) }
	return nil
}

// tail prints events until ctx ends, each on a line of its own.
func (m *Main) tail(ctx context.Context, dir, name string) error {
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
		if err := m.printLines(events); err != nil {
			return err
		}
		if err := client.AckFeed(ctx, name, cursor); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (m *Main) printLines(events []json.RawMessage) error {
	var lines bytes.Buffer
	for _, e := range events {
		if err := json.Compact(&lines, e); err != nil {
			return fmt.Errorf("cannot read an event of the feed: %w", err)
		}
		lines.WriteByte('\n')
	}
	_, err := lines.WriteTo(m.stdout)
	return err
}
