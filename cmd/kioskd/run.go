package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/service"
	"smartkiosk/device/browser"
	"smartkiosk/device/panel"
	"smartkiosk/device/rauc"
	"smartkiosk/device/reader"
	"smartkiosk/device/speech"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

func runCommand() *cobra.Command {
	var file, boot string
	c := &cobra.Command{
		Use:   "run",
		Short: "Serve as a kiosk until SIGTERM or SIGINT",
		Long: `Serve as a kiosk until SIGTERM or SIGINT. The log goes to standard error.
"kioskctl enrol" writes the configuration file.

--boot names the folder of a boot partition. If it has a one-time code (code.txt), the
kiosk enrols with it at the hub that kiosk.toml names, writes the configuration file, and
deletes the code. The panel shows what the kiosk does and what it lacks. A change of
kiosk.toml takes effect at the next start; if it is wrong, the kiosk shows the line and
uses what it used before.`,
		Args: cli.Args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if boot != "" {
				if err := setUp(c.Context(), boot, filepath.Dir(file), c.ErrOrStderr()); err != nil {
					return err
				}
			}
			return runKiosk(c.Context(), file, c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&file, "config", "/etc/smartkiosk/kioskd.toml", "configuration `file`")
	c.Flags().StringVar(&boot, "boot", "", "`folder` of the boot partition, which has kiosk.toml and code.txt")
	return c
}

// runKiosk serves one kiosk until ctx ends.
func runKiosk(ctx context.Context, file string, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	texts, err := screen.Load()
	if err != nil {
		return err
	}
	front, err := openFront(c.Panel, texts, log)
	if err != nil {
		return err
	}
	defer front.close()
	manager := service.New(log, service.Systemd, daemon.ServiceParts()...)
	var voice daemon.Speaker
	if c.Speech.Enabled {
		command := c.Speech.Command
		if len(command) == 0 {
			command = speech.EspeakNG
		}
		speaker, err := speech.Open(command)
		if err == nil {
			defer speaker.Close()
			voice = speaker
		} else {
			log.Error("the kiosk serves without speech", "err", err)
		}
	}
	// The panel shows "out of service" until the kiosk serves, and while it cannot
	// serve.
	front.Show(kiosk.Screen{ID: kiosk.ScreenOutOfService, Language: c.Language})
	var pages *browser.Link
	if c.Display.Driver == config.BrowserDriver {
		pages = browser.NewLink(c.Display.Origins)
	}
	serve := func(ctx context.Context) error {
		cards := reader.New(c.Reader.Match, log)
		cards.IgnorePINPad = c.Reader.PINPad == "off"
		parts := daemon.Parts{Slot: cards, Panel: front.Panel, Speech: voice, Browser: pages, Watchdog: front.watchdog, Service: manager, Installer: rauc.Client{}, Doctor: daemon.KioskctlDoctor(file)}
		d, err := daemon.Open(c, parts, texts, log)
		if err != nil {
			return err
		}
		return errors.Join(d.Run(ctx, cli.Version()), d.Close())
	}
	if front.web == nil {
		return serve(ctx)
	}
	return daemon.ServePage(ctx, c.Panel.Listen, c.Panel.Users, panelPage(front.web, front.hasKeypad, pages), log, func(ctx context.Context, url string) error {
		log.Info("panel", "url", url)
		return serve(ctx)
	})
}

// panelPage serves the panel at /panel/ and redirects / to it. If the board has a
// keypad, the page accepts no keys, so that PINs can only be typed on the keypad. pages may
// be nil.
func panelPage(p *panel.Panel, displayOnly bool, pages *browser.Link) http.Handler {
	mux := http.NewServeMux()
	if pages != nil {
		mux.Handle("/browser/", panel.Guard(pages.Handler()))
	}
	if displayOnly {
		mux.Handle("POST /panel/keys", panel.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "this page takes no keys: the kiosk has a keypad", http.StatusForbidden)
		})))
	}
	mux.Handle("/panel/", p.Handler())
	mux.Handle("/{$}", http.RedirectHandler("/panel/", http.StatusSeeOther))
	return mux
}
