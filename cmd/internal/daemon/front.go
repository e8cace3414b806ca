package daemon

import (
	"context"

	"smartkiosk/cmd/internal/frontpanel"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/terminal"
)

// attach has visits depend on the parts of a panel that is made of some.
func (d *Daemon) attach(p terminal.Panel) {
	front, ok := p.(*frontpanel.Panel)
	if !ok {
		return
	}
	d.front = front
	d.terminal.Config.Parts, d.terminal.Parts = front.Parts(), front.States()
}

// reportParts writes down what becomes of the panel's parts until ctx ends.
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
