package daemon

import (
	"context"
	"time"

	"smartkiosk/device/freemem"
)

// settled is how long after a visit the kiosk cleans up once more. A
// short string can take the place of a longer one that was freed during the visit, and
// then the end of the old one stays in memory as long as the new one.
const settled = 5 * time.Second

// forget removes from memory what visits have left there: name, certificate, PIN and
// token. It works after each visit, and once more when the kiosk has settled, until ctx
// ends. Nothing refers to the data of the visit by then: the visit machine, the card's
// driver and the panel have dropped them.
func (d *Daemon) forget(ctx context.Context) {
	again := time.NewTimer(settled)
	again.Stop()
	for {
		select {
		case <-d.visits.ended:
			d.client.Forget()
			again.Reset(settled)
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
		freemem.Wipe()
	}
}
