//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/kiosk/protocol/hubapi"
)

// deliverCommand sends the events of an old box to the hub.
func (p program) deliverCommand() *cobra.Command {
	var from, file string
	c := &cobra.Command{
		Use:   "deliver --from FILE",
		Short: "Send the events of a kiosk's earlier box to the hub",
		Long: `Send events to the hub that an earlier box of this kiosk has kept: from its SD card
(outbox.db), or from what "kioskctl events export" printed. Run it on the box that has
taken over the kiosk's name. kioskd may be running.

The events go as they are, signed by the earlier box and sealed to the hub. The hub
stores those that it does not have, so that the command can be repeated.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if from == "" {
				return cli.Usagef("--from is missing")
			}
			n, err := p.deliver(c.Context(), from, file)
			if err != nil {
				return fmt.Errorf("cannot deliver the events of %s: %w", from, err)
			}
			_, err = fmt.Fprintf(p.stdout, "The hub has all %d events of %s.\n", n, from)
			return err
		},
	}
	c.Flags().StringVar(&from, "from", "", "`file` with the events")
	c.Flags().StringVar(&file, "config", defaultConfig, "kioskd.toml of this box, a `file`")
	return c
}

// deliver sends all events of a file with this kiosk's certificate, and returns their
// number.
func (p program) deliver(ctx context.Context, from, file string) (n int, err error) {
	c, err := config.Load(file)
	if err != nil {
		return 0, err
	}
	source, err := openSource(from)
	if err != nil {
		return 0, err
	}
	credentials, device, err := daemon.OpenCredentials(c)
	if err != nil {
		return 0, err
	}
	defer device.Close()
	client := hubapi.NewClient(c.Hub.URL, credentials.TLS)
	var batch []json.RawMessage
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := client.SendEvents(ctx, batch)
		if gap, is := errors.AsType[*hubapi.Problem](err); is && gap.Type == hubapi.KindGap {
			return fmt.Errorf("%s has no event %d, which the hub lacks: %w", from, gap.Wanted, err)
		}
		n += len(batch)
		batch = nil
		return err
	}
	s, err := source.each(ctx, func(e sealed) error {
		if e.Kiosk != c.ID {
			return fmt.Errorf("event %d is of kiosk %q, not of %s", e.Sequence, e.Kiosk, c.ID)
		}
		if batch = append(batch, e.text); len(batch) == hubapi.DefaultFeedBatch {
			return send()
		}
		return nil
	})
	if err == nil {
		err = send()
	}
	if err == nil && len(s.lost) > 0 {
		err = fmt.Errorf("events %d to %d cannot be read", s.lost[0].From, s.lost[0].Through)
	}
	if err == nil {
		err = s.damage
	}
	return n, err
}
