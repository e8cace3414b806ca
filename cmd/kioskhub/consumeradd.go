package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/hub"
)

func (p program) consumerAddCommand() *cobra.Command {
	var dir, from string
	var native bool
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a bundle for a backend that pulls the feed",
		Long: `Make the bundle of a new consumer, a backend that pulls the feed, and print where
it is. Earlier certificates of a consumer with this name end at once.

With --nats the consumer reads with a NATS client instead: the command also makes a
durable pull consumer in JetStream, and prints its name and the servers' address. The
certificate in the bundle gives the right to request messages of this durable
consumer, to acknowledge them and to look at its state, and no other. The hub's own
JetStream accepts such clients on nats.listen (hub.toml). For servers of your own
(nats.url) the command writes the accounts that they must have.`,
		Args: cli.Args("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if native {
				return p.addNativeConsumer(dir, args[0], from)
			}
			if c.Flags().Changed("from") {
				return cli.Usagef("--from needs --nats; for the feed use kioskhub feed reset")
			}
			return p.printBundle(hub.AddConsumer(dir, args[0]))
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&native, "nats", false, "let the consumer read with a NATS client")
	c.Flags().StringVar(&from, "from", hub.FeedStart, "the `place` where it begins: start, end, or a time such as 2026-11-29T12:00:00Z")
	return c
}

func (p program) addNativeConsumer(dir, name, from string) error {
	a, err := hub.AddNativeConsumer(dir, name, from)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s\nServers:   %s\nFiles:     CA %s, certificate consumer.pem, key consumer.key\nAPI:       %s\nStream:    %s\nConsumer:  %s\n",
		a.Bundle, strings.ReplaceAll(a.URL, ",", ", "), a.CA, a.API, a.Stream, a.Durable)
	if a.Accounts != "" {
		fmt.Fprintf(p.stdout, "The NATS servers let it in when you have done this:\n%s", copyAccounts(a.Accounts))
	}
	return nil
}

// copyAccounts says what to do with a new file of accounts.
func copyAccounts(file string) string {
	return fmt.Sprintf(`  copy %s into the folder of nats-server.conf on each node
  restart nats-server on one node after the other (a reload is not enough)
`, file)
}
