package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) clusterCommand() *cobra.Command {
	return cli.Group("cluster", "Share one JetStream among several hubs", "", p.clusterInitCommand())
}

func (p program) clusterInitCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "init NODE [NODE]...",
		Short: "Prepare a hub for a cluster of three or five nodes",
		Long: `Prepare a hub for a cluster: NATS servers with JetStream on three machines, or
five. A NODE is NAME=HOST, such as n1=10.0.0.1 or n2=n2.hub.example; hubs and the
other nodes call the node at HOST, ports 4222 and 6222.

The command makes a folder for each node in cluster/, with its certificate, its key
and its nats-server.conf, and writes nats.url into hub.toml. Copy a node's folder to its
machine and start nats-server there. Every hub of the cluster works in a copy of the
hub's folder.

If the hub has stored something already, hub.toml gets nats.move_to instead, and the
hub goes on with its own JetStream until "kioskhub migrate" moves it into the cluster.
Never start nats-server in the hub's folder jetstream: it would delete the events.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("NODE is missing")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return p.clusterInit(dir, args) },
	}
	dirFlag(c, &dir)
	return c
}

func (p program) clusterInit(dir string, args []string) error {
	var nodes []hub.Node
	for _, text := range args {
		n, err := hub.ParseNode(text)
		if err != nil {
			return cli.Usagef("%w", err)
		}
		nodes = append(nodes, n)
	}
	c, err := hub.ClusterInit(dir, nodes)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "On each node, copy its folder and start the server in it:")
	for i, folder := range c.Folders {
		fmt.Fprintf(p.stdout, "  %s (%s): nats-server -c nats-server.conf\n", folder, nodes[i].Host)
	}
	fmt.Fprintln(p.stdout, "Keep nats-ca.key in a safe place: it can issue certificates for more nodes.")
	if c.Moves {
		fmt.Fprintf(p.stdout, "The hub has stored events or identities. Move them when the nodes run: stop the hub, and run\n  kioskhub migrate --dir %s\n", dir)
	} else {
		fmt.Fprintln(p.stdout, "Then start the hub, and other hubs with copies of its folder.")
	}
	return nil
}
