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
		Short: "Prepare a new hub for a cluster of three or five nodes",
		Long: `Prepare a new hub for a cluster: NATS servers with JetStream on three machines, or
five. A NODE is NAME=HOST, such as n1=10.0.0.1 or n2=n2.hub.example; hubs and the
other nodes call the node at HOST, ports 4222 and 6222.

The command makes a folder for each node in cluster/, with its certificate, its key
and its nats-server.conf, and writes nats.url into hub.toml. The hub must not have
stored anything yet. Copy a node's folder to its machine and start nats-server there.
Every hub of the cluster works in a copy of the hub's folder.`,
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
	folders, err := hub.ClusterInit(dir, nodes)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "On each node, copy its folder and start the server in it:")
	for i, folder := range folders {
		fmt.Fprintf(p.stdout, "  %s (%s): nats-server -c nats-server.conf\n", folder, nodes[i].Host)
	}
	fmt.Fprintln(p.stdout, "Keep nats-ca.key in a safe place: it can issue certificates for more nodes.\nThen start the hub, and other hubs with copies of its folder.")
	return nil
}
