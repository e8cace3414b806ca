package daemon

import "smartkiosk/kiosk"

// offers hold the services of the newest policy until the terminal takes them.
type offers chan kiosk.Services

// set replaces what the terminal has not taken yet. One goroutine calls it at a time.
func (o offers) set(s kiosk.Services) {
	select {
	case <-o:
	default:
	}
	o <- s
}
