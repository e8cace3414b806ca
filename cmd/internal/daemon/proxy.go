package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/device/scproxy"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/slot"
)

// proxy is the service through which Buypass' login pages reach the card.
type proxy struct {
	service     *scproxy.Service
	recorder    *recording.Recorder // nil if the configuration names no file
	certificate tls.Certificate
	listener    net.Listener
}

// openProxy listens for login pages. It keeps its certificate in the state folder. Only
// root, this user and the users of the panel may connect.
func openProxy(c *config.Config, s slot.Slot, log *slog.Logger) (*proxy, error) {
	certificate, err := scproxy.Certificate(c.State)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", scproxy.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve login pages: %w", err)
	}
	if l, err = guardListener(l, log, c.Panel.Users...); err != nil {
		return nil, err
	}
	p := &proxy{service: scproxy.New(s, log), certificate: certificate, listener: l}
	if c.SCProxy.Record != "" {
		p.recorder = recording.New(c.SCProxy.Record, log)
		p.service.RecordTo(p.recorder)
	}
	return p, nil
}

// serveRecording adds /v1/scproxy/record to the handler of the local socket, for
// kioskctl scproxy record. p is nil without scproxy.
func serveRecording(local http.Handler, p *proxy) http.Handler {
	var recorder *recording.Recorder
	if p != nil {
		recorder = p.recorder
	}
	mux := http.NewServeMux()
	mux.Handle("/", local)
	mux.Handle("/v1/scproxy/record", recording.Handler(recorder))
	return mux
}

// serve answers until ctx ends. A recording ends then.
func (p *proxy) serve(ctx context.Context, log *slog.Logger) {
	if p.recorder != nil {
		defer p.recorder.Stop()
	}
	if err := p.service.Serve(ctx, p.listener, p.certificate); err != nil {
		log.Error("cannot serve login pages", "address", p.listener.Addr(), "err", err)
	}
}

// quietSlot is the slot of the login pages. While a visit is in progress it shows the
// card as mute and refuses connections to it.
type quietSlot struct {
	slot.Slot
	visits *visits
}

// yieldWithin is how long a page waits for a visit to yield the card to it (see
// kiosk.CardWanted). That takes milliseconds, unless the visit continues.
const yieldWithin = 2 * time.Second

var errBusy = errors.New("cannot connect to card: a visit is in progress")

func (s quietSlot) Watch(ctx context.Context) <-chan slot.Event {
	events := make(chan slot.Event)
	go func() {
		defer close(events)
		for e := range s.Slot.Watch(ctx) {
			if e.State == slot.Present && !s.visits.endsWithin(ctx, yieldWithin) {
				e.State, e.ATR = slot.Mute, nil
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	}()
	return events
}

func (s quietSlot) Connect(ctx context.Context) (slot.Conn, error) {
	if s.visits.busy() {
		return nil, errBusy
	}
	return s.Slot.Connect(ctx)
}
