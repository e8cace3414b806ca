package main

import (
	"fmt"
	"log/slog"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/device/board"
	"smartkiosk/device/panel"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// front is the front panel that the configuration asks for.
type front struct {
	terminal.Panel
	web       *panel.Panel    // nil without a web panel
	watchdog  *board.Watchdog // nil without a watchdog
	hasKeypad bool            // the board has a keypad
	close     func()
}

// Displays returns the displays of the panel, for documents.
func (f *front) Displays() ([]screen.Form, func(page string) error) {
	return f.Panel.(interface {
		Displays() ([]screen.Form, func(string) error)
	}).Displays()
}

// openFront returns a panel that consists of a board's parts, a web page, or both.
func openFront(c config.Panel, texts *screen.Catalogue, log *slog.Logger) (*front, error) {
	f := &front{close: func() {}}
	if c.Listen != "" {
		f.web = panel.New()
		f.Panel = daemon.WebPanel{Panel: f.web, Texts: texts}
	}
	if c.Board == "" {
		return f, nil
	}
	b, err := board.Load(c.Board)
	if err != nil {
		return nil, err
	}
	if f.web == nil && (len(b.Displays) == 0 || len(b.Keypads()) == 0) {
		return nil, fmt.Errorf("cannot use board %s: a visit needs a display and a keypad, and the board has %d and %d: add the missing part, or set panel.listen for a web panel", c.Board, len(b.Displays), len(b.Keypads()))
	}
	log.Info("panel", "board", b.Name, "file", c.Board)
	parts := frontpanel.Open(b, texts, f.Panel, log)
	f.Panel, f.watchdog, f.close = parts, b.Watchdog, parts.Close
	f.hasKeypad = len(b.Keypads()) > 0
	return f, nil
}
