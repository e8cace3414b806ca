package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/demo"
	"smartkiosk/cmd/internal/demo/page"
	"smartkiosk/cmd/internal/demo/script"
	"smartkiosk/device/panel"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// demoOptions are the flags of kioskdemo.
type demoOptions struct {
	listen string
	dir    string
	script string
	pcsc   bool
	phones string
	events bool
}

// settleTime is how long a script's end waits for the last events.
const settleTime = 10 * time.Second

// command is the program's command line.
func command() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "kioskdemo",
		Short: "A kiosk, a hub, software cards and a backend in one process",
		Long:  "Kioskdemo runs the whole system on this machine without hardware: a test PKI\nwith software cards, a hub, a kiosk, and a backend that pulls the feed. It serves\na page for a browser, or plays a script.",
		Args:  cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			return runDemo(c.Context(), o, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "loopback `address` of the page")
	flags.StringVar(&o.dir, "dir", "", "`folder` to keep the demo in (default: a new one, removed at the end)")
	flags.StringVar(&o.phones, "phones", demo.Loopback, "IP `address` and port of this machine at which a real phone on the network can log in")
	flags.StringVar(&o.script, "script", "", "play this `file` instead of serving the page; - is standard input")
	flags.BoolVar(&o.events, "events", false, "at the end print the events that the backend pulled, a JSON line each")
	flags.BoolVar(&o.pcsc, "pcsc", false, "put the card into a virtual PC/SC reader (pcscd with vpcd) instead of a software slot")
	return cli.Program(c)
}

// runDemo runs the whole system until ctx ends or the script does.
func runDemo(ctx context.Context, o demoOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "smartkiosk-demo-*")
		if err != nil {
			return fmt.Errorf("cannot make a folder for the demo: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	texts, err := screen.Load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})) // quiet but for what goes wrong
	if o.script != "" {
		return o.play(ctx, stdin, stdout, texts, log)
	}
	return o.serve(ctx, stdout, texts, log)
}

func (o demoOptions) slot(log *slog.Logger) func(cards string) (demo.Slot, error) {
	return func(cards string) (demo.Slot, error) {
		deck, err := demo.LoadDeck(cards)
		if err != nil {
			return nil, err
		}
		if o.pcsc {
			return demo.NewReaderSlot(deck, log), nil
		}
		return demo.NewSoftwareSlot(deck), nil
	}
}

// play plays the script.
func (o demoOptions) play(ctx context.Context, stdin io.Reader, stdout io.Writer, texts *screen.Catalogue, log *slog.Logger) error {
	s, err := o.readScript(stdin)
	if err != nil {
		return err
	}
	p := script.NewPanel()
	return o.with(ctx, p, texts, log, func(ctx context.Context, d *demo.Demo) error {
		err := s.Play(ctx, d, p)
		if o.events && err == nil {
			settle, cancel := context.WithTimeout(ctx, settleTime)
			defer cancel()
			for _, e := range d.Settle(settle) {
				fmt.Fprintf(stdout, "%s\n", e)
			}
		}
		return err
	})
}

func (o demoOptions) readScript(stdin io.Reader) (*script.Script, error) {
	if o.script == "-" {
		return script.Parse("standard input", stdin)
	}
	f, err := os.Open(o.script)
	if err != nil {
		return nil, fmt.Errorf("cannot read script: %w", err)
	}
	defer f.Close()
	return script.Parse(o.script, f)
}

// serve shows the page until ctx ends.
func (o demoOptions) serve(ctx context.Context, stdout io.Writer, texts *screen.Catalogue, log *slog.Logger) error {
	p := panel.New()
	return o.with(ctx, daemon.WebPanel{Panel: p, Texts: texts}, texts, log, func(ctx context.Context, d *demo.Demo) error {
		return daemon.ServePage(ctx, o.listen, nil, page.Handler(d, p), log, func(ctx context.Context, url string) error {
			fmt.Fprintf(stdout, "The kiosk is at %s (Ctrl-C ends it). The cards' PIN is 1234, their PUK 12345678.\n", url)
			<-ctx.Done()
			return nil
		})
	})
}

// with runs the system while work does.
func (o demoOptions) with(ctx context.Context, p terminal.Panel, texts *screen.Catalogue, log *slog.Logger, work func(context.Context, *demo.Demo) error) error {
	if o.pcsc {
		stop, err := demo.StartPCSC(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	d, err := demo.Open(ctx, o.dir, o.phones, o.slot(log), p, texts, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := d.Run(ctx, cli.Version())
		stop()
		ended <- err
	}()
	err = work(ctx, d)
	stop()
	e := <-ended
	if e != nil && errors.Is(err, context.Canceled) {
		err = nil // work could not go on because of e
	}
	return errors.Join(err, e, d.Close())
}
