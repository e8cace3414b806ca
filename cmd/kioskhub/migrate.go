package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) migrateCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move a hub from its own JetStream into a cluster, while it serves",
		Long: `Move a hub from its own JetStream into the cluster that "kioskhub cluster init" has
prepared and whose nodes run. Stop the service of the hub before, and run this in its
place: it serves kiosks and consumers as "kioskhub serve" does. When the cluster has
all messages it stops serving for some seconds, during which kiosks decide by their
offline policy. Then it serves from the cluster. End it (SIGTERM) when you want, and
start the service again.

Cursors, the times of events and open challenges stay as they are. Consumers with a
NATS client connect to the nodes afterwards. If anything fails, the hub's own JetStream
still has everything, and "kioskhub serve" goes on with it. After the move it is in
jetstream.moved, and not needed any more.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.migrate(c.Context(), dir) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) migrate(ctx context.Context, dir string) error {
	m, err := hub.BeginMove(ctx, dir, p.log)
	if err != nil {
		return err
	}
	defer m.Close()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- p.serveHub(serving, m.Config()); stop() }()
	shown := -1
	err = m.Follow(serving, func(part float64) {
		if percent := int(100 * part); percent != shown {
			shown = percent
			fmt.Fprintf(p.stdout, "The cluster has %d %% of the messages.\n", percent)
		}
	})
	stop()
	if stopped := <-served; stopped != nil {
		return stopped
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot move the hub into its cluster: it was stopped before the cluster had all messages; nothing is changed")
	}
	if err != nil {
		return err
	}
	if err := m.Finish(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "The hub is in the cluster.")
	return p.serve(ctx, dir)
}
