package daemon

import (
	"context"
	"sync"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// visits is the panel, and knows by what it shows whether a visit goes on:
// then nothing else is to hold up disk and hub.
type visits struct {
	terminal.Panel

	mu    sync.Mutex
	quiet context.Context // ends when a visit begins; nil while one goes on
	begin context.CancelFunc
}

func newVisits(p terminal.Panel) *visits {
	v := &visits{Panel: p}
	v.quiet, v.begin = context.WithCancel(context.Background())
	return v
}

// Show notes what the screen says of visits, and shows it.
func (v *visits) Show(s kiosk.Screen) {
	switch s.ID {
	case kiosk.ScreenWelcome, kiosk.ScreenRemoveCard, kiosk.ScreenOutOfService:
		v.rest()
	default:
		v.mu.Lock()
		v.begin()
		v.quiet = nil
		v.mu.Unlock()
	}
	v.Panel.Show(s)
}

func (v *visits) rest() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.quiet == nil {
		v.quiet, v.begin = context.WithCancel(context.Background())
	}
}

// idle gives a context that lasts until a visit begins, unless one goes on.
func (v *visits) idle() (context.Context, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.quiet, v.quiet != nil
}

// busy tells whether a visit goes on.
func (v *visits) busy() bool {
	_, idle := v.idle()
	return !idle
}
