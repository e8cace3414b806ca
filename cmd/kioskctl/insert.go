//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

var errMute = errors.New("the card gives no answer: is it in the right way round?")

// open waits for a card, tells the user so, and opens the card. It returns the
// insertion also when the card cannot be opened.
func (p program) open(ctx context.Context, known *smartkort.Profiles) (card *smartkort.Card, in slot.Event, err error) {
	waiting, stop := context.WithTimeout(ctx, p.patience)
	defer stop()
	if in, err = p.await(waiting); err != nil {
		return nil, in, err
	}
	conn, err := p.slot.Connect(ctx)
	if err != nil {
		return nil, in, err
	}
	card, err = smartkort.Driver{Profiles: known}.Open(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, in, err
	}
	return card, in, nil
}

// await waits until a card is in the reader.
func (p program) await(ctx context.Context) (slot.Event, error) {
	why := errors.New("no answer from PC/SC")
	for e := range p.slot.Watch(ctx) {
		switch e.State {
		case slot.Present:
			return e, nil
		case slot.Mute:
			return e, errMute
		case slot.Empty:
			why = errors.New("no card in the reader")
			fmt.Fprintln(p.stderr, "Put the card in.")
		case slot.NoReader:
			why = e.Err
			fmt.Fprintf(p.stderr, "Waiting for a reader: %s\n", strings.TrimRight(e.Err.Error(), ".")+".")
		}
	}
	return slot.Event{}, why
}
