package main

import (
	"context"
	"io"
	"log/slog"

	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/cmd/internal/enrol"
	"smartkiosk/cmd/internal/firststart"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/cmd/internal/service"
	"smartkiosk/device/reader"
	"smartkiosk/kiosk/screen"
)

// setUp makes the machine a kiosk by the files on its boot partition, and shows that on
// its panel. It returns when the kiosk can serve.
func setUp(ctx context.Context, boot, dir string, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	texts, err := screen.Load()
	if err != nil {
		return err
	}
	panel := firststart.Panel(boot, dir)
	front, err := openFront(panel, texts, log)
	if err != nil {
		return err
	}
	defer front.close()
	const part = "setup"
	manager := service.New(log, service.Systemd, part)
	manager.Ready() // it may wait for a cable or a code for days
	start := firststart.Start{
		Boot: boot, Dir: dir, TPM: enrol.TPMAuto,
		Interfaces: network.Interfaces, Readers: reader.List,
		Show: front.Show, Sleep: firststart.Sleep, Alive: func() { manager.Alive(part) }, Log: log,
	}
	if front.web == nil {
		return start.Run(ctx)
	}
	return daemon.ServePage(ctx, panel.Listen, panel.Users, panelPage(front.web, front.hasKeypad, nil), log, func(ctx context.Context, _ string) error {
		return start.Run(ctx)
	})
}
