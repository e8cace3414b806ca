//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/device/scproxy/recording"
)

// recordCommand switches the recording of login pages on and off.
func (p program) recordCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use:   "record [on|off]",
		Short: "Record what login pages and the card say to each other",
		Long: `Record what login pages and the card say to each other, so that card learn --from
can make a profile from an official login. Without an argument the command shows
whether the recording is on.

The recording goes to the file scproxy.record in kioskd.toml, which "on" replaces. It
ends after one hour, and when kioskd ends. The panel shows that it is on. It contains
no PIN and no challenge, and personal data is replaced. Still, record only a card whose
holder agrees.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("unexpected argument %q", args[1])
			}
			if len(args) == 1 && args[0] != "on" && args[0] != "off" {
				return fmt.Errorf("argument %q is not on or off", args[0])
			}
			return nil
		},
		ValidArgs: []string{"on", "off"},
		RunE:      func(c *cobra.Command, args []string) error { return p.record(c.Context(), from, args) },
	}
	c.Flags().StringVar(&from, "from", defaultSocket, "`socket` of the running kioskd")
	return c
}

func (p program) record(ctx context.Context, socket string, args []string) error {
	method, body := http.MethodGet, []byte(nil)
	if len(args) == 1 {
		method, body = http.MethodPut, fmt.Appendf(nil, `{"on":%t}`, args[0] == "on")
	}
	answer, err := askKioskd(ctx, socket, method, "/v1/scproxy/record", body)
	var state recording.State
	if err == nil {
		err = json.Unmarshal(answer, &state)
	}
	if err != nil {
		return fmt.Errorf("cannot record login pages: %w", err)
	}
	if !state.On {
		_, err = fmt.Fprintf(p.stdout, "Login pages are not recorded. The last recording, if there is one, is %s.\n", state.File)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Login pages are recorded to %s until %s.\n", state.File, state.Until.Local().Format(time.TimeOnly))
	return err
}
