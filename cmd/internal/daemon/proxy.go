package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"smartkiosk/device/scproxy"
	"smartkiosk/device/slot"
)

// proxy is the service through which Buypass' login pages reach the card.
type proxy struct {
	service     *scproxy.Service
	certificate tls.Certificate
	listener    net.Listener
}

// openProxy listens for login pages. It keeps its certificate in the folder state. Only
// root, this user and the named users may connect.
func openProxy(state string, users []string, s slot.Slot, log *slog.Logger) (*proxy, error) {
	certificate, err := scproxy.Certificate(state)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", scproxy.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve login pages: %w", err)
	}
	if l, err = guardListener(l, log, users...); err != nil {
		return nil, err
	}
	return &proxy{scproxy.New(s, log), certificate, l}, nil
}

// serve answers until ctx ends.
func (p *proxy) serve(ctx context.Context, log *slog.Logger) {
	if err := p.service.Serve(ctx, p.listener, p.certificate); err != nil {
		log.Error("cannot serve login pages", "address", p.listener.Addr(), "err", err)
	}
}

// quietSlot is the slot of the login pages. While a visit is in progress it shows the
// card as mute and refuses connections to it.
type quietSlot struct {
	slot.Slot
	busy func() bool
}

var errBusy = errors.New("cannot connect to card: a visit is in progress")

func (s quietSlot) Watch(ctx context.Context) <-chan slot.Event {
	events := make(chan slot.Event)
	go func() {
		defer close(events)
		for e := range s.Slot.Watch(ctx) {
			if e.State == slot.Present && s.busy() {
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
	if s.busy() {
		return nil, errBusy
	}
	return s.Slot.Connect(ctx)
}
