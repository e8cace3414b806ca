//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/kiosk/clock"
)

// clockCommand shows what a running kioskd believes about the time, and can set it.
func (p program) clockCommand() *cobra.Command {
	var from, set string
	c := &cobra.Command{
		Use:   "clock",
		Short: "Show what the kiosk believes about the time, and why",
		Long: `Show what the kiosk believes about the time, and why: the machine's clock, the time
for which certificates are judged, and the times that it has learned from the hub,
from signed lists and from its own clock.

With --set the kiosk forgets what it has learned and remembers this time instead.
The machine's own clock is set by timedatectl.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if set != "" {
				return p.setClock(c.Context(), from, set)
			}
			return p.showClock(c.Context(), from)
		},
	}
	c.Flags().StringVar(&from, "from", defaultSocket, "`socket` of the running kioskd")
	c.Flags().StringVar(&set, "set", "", "`time` to remember: now, or as in 2026-11-22T12:00:00Z")
	return c
}

func (p program) showClock(ctx context.Context, socket string) error {
	body, err := askKioskd(ctx, socket, http.MethodGet, "/v1/clock", nil)
	var s clock.State
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		return fmt.Errorf("cannot read the clock of %s: %w", socket, err)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	row := func(name string, t time.Time, about string) {
		if !t.IsZero() {
			fmt.Fprintf(w, "%s\t%s\t%s\n", name, t.Format(time.RFC3339), about)
		}
	}
	trusted := "trusted: it is not behind the remembered time"
	if s.Behind {
		trusted = "not trusted: it is behind the remembered time"
	}
	row("machine's clock", s.Now, trusted)
	row("remembered", s.Remembered, "the earliest time that it can be")
	row("judged for", s.At, "certificates of cards, and the policy")
	row("TLS", s.TLS, "the hub's certificate")
	row("hub", s.Hub, "as the hub said last")
	row("hub, unconfirmed", s.Unproven, "far ahead of the rest; does not count until a second answer, or against NTP a list of revoked cards, confirms it")
	row("signed", s.Signed, "newest list of revoked cards or policy")
	row("own", s.Own, "newest time of the machine's clock, counted up to 31 days ahead of the rest")
	row("certificate", s.Floor, "begin of the validity of the kiosk's certificate")
	return w.Flush()
}

func (p program) setClock(ctx context.Context, socket, set string) error {
	t := time.Now()
	if set != "now" {
		var err error
		if t, err = time.Parse(time.RFC3339, set); err != nil {
			return cli.Usagef("--set %q is not now and not a time as in 2026-11-22T12:00:00Z", set)
		}
	}
	text, err := json.Marshal(map[string]time.Time{"time": t})
	if err == nil {
		_, err = askKioskd(ctx, socket, http.MethodPut, "/v1/clock", text)
	}
	if err != nil {
		return fmt.Errorf("cannot set the clock of %s: %w", socket, err)
	}
	return p.showClock(ctx, socket)
}

// askKioskd sends a request to the socket of a running kioskd and returns the body of
// the answer.
func askKioskd(ctx context.Context, socket, method, path string, body []byte) ([]byte, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://kioskd"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("kioskd answered %s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}
