package daemon

import (
	"context"

	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/screen"
	"smartkiosk/kiosk/terminal"
)

// attach connects the terminal to the parts of the panel, if p is a panel with parts,
// so that the kiosk serves only while they work.
func (d *Daemon) attach(p terminal.Panel) {
	front, ok := p.(*frontpanel.Panel)
	if !ok {
		return
	}
	d.front = front
	d.terminal.Config.Parts, d.terminal.Parts = front.Parts(), front.States()
}

// okKey returns the label of the key that ends a PIN on a panel.
func okKey(p terminal.Panel) string {
	if front, ok := p.(*frontpanel.Panel); ok {
		return front.OKKey()
	}
	return screen.Hash
}

// reportParts writes an event for each change of a part of the panel until ctx ends.
func (d *Daemon) reportParts(ctx context.Context) {
	for {
		select {
		case r := <-d.front.Reports():
			if err := d.reportPart(r); err != nil {
				d.log.Error("cannot tell the hub of a part of the panel", "part", r.Section, "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (d *Daemon) reportPart(r frontpanel.Report) error {
	switch r.State {
	case frontpanel.Unopened, frontpanel.Opened, frontpanel.Unknown:
		return d.journal.Tamper(string(r.State))
	}
	return d.journal.Part(event.Part{Part: r.Section, State: string(r.State), Problem: r.Problem})
}
