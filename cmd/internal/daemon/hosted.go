package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/browser"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/terminal"
)

// hostedPages is the browser for hosted pages, as the terminal sees it.
type hostedPages struct {
	link  *browser.Link
	ready chan bool // the last value only
}

// openHostedPages connects the terminal to the browser, if there is one. Without Chromium's
// policy the browser shows the panel, but no hosted pages.
func (d *Daemon) openHostedPages(c *config.Config, link *browser.Link) error {
	if link == nil {
		return nil
	}
	policy, err := BrowserPolicy(c)
	if err != nil {
		return err
	}
	p := hostedPages{link, make(chan bool, 1)}
	d.terminal.Browser, d.terminal.Hosted = p, p.ready
	if err := browser.CheckPolicy(policy); err != nil {
		d.log.Error("nobody can log in on hosted pages", "err", err)
		return nil
	}
	link.Watch(p.set)
	return nil
}

// BrowserPolicy returns the policy of the Chromium that shows the panel.
func BrowserPolicy(c *config.Config) ([]byte, error) {
	var certificate []byte
	if c.SCProxy.Enabled {
		var err error
		if certificate, err = os.ReadFile(filepath.Join(c.State, "scproxy.crt")); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot make Chromium's policy: %w: kioskd makes it when it starts with scproxy.enabled", err)
		} else if err != nil {
			return nil, fmt.Errorf("cannot make Chromium's policy: %w", err)
		}
	}
	return browser.Policy(c.PanelURL(), c.Display.Origins, certificate)
}

func (p hostedPages) set(ready bool) {
	select {
	case <-p.ready:
	default:
	}
	p.ready <- ready // the link calls one at a time
}

// Open implements terminal.Browser.
func (p hostedPages) Open(ctx context.Context, address, callback string, opened func()) (string, error) {
	query, err := p.link.Open(ctx, address, callback, opened)
	if failed, ok := errors.AsType[*browser.Error](err); ok {
		return "", &terminal.PageError{Reason: pageReasons[failed.Failure], Err: err}
	}
	return query, err
}

// Key implements terminal.Browser.
func (p hostedPages) Key(key rune) { p.link.Key(key) }

// pageReasons maps the failures of hosted pages to the reason of the visit.
var pageReasons = map[browser.Failure]kiosk.Reason{
	browser.Navigation: kiosk.PageRefused,
	browser.Unreached:  kiosk.BrokerDown,
	browser.Slow:       kiosk.BrokerDown,
	browser.Crashed:    kiosk.BrowserLost,
	browser.Lost:       kiosk.BrowserLost,
}

// inProgress records that a visit begins or has ended.
func (d *Daemon) inProgress(now bool) {
	d.visits.set(now)
	d.cards.set(now)
	if d.browser != nil {
		d.browser.SetBusy(now)
	}
}

// lends records that the card begins to be a hosted page's, or is so no more. Then the page
// is closed, and whatever it did with the card ends.
func (d *Daemon) lends(now bool) {
	if now {
		d.cards.set(false)
		return
	}
	d.cards.set(d.visits.busy())
	if d.proxy != nil {
		d.proxy.service.Forget()
	}
}
