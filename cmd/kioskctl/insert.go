package main

import (
	"context"
	"errors"
	"fmt"

	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

var errMute = errors.New("the card gives no answer: is it in the right way round?")

// open waits for a card, saying so, and opens it by the profiles of a folder,
// if there is one. The reader's name comes with it.
func (p program) open(ctx context.Context, profiles string) (card *smartkort.Card, reader string, err error) {
	known, err := loadProfiles(profiles)
	if err != nil {
		return nil, "", err
	}
	waiting, stop := context.WithTimeout(ctx, p.patience)
	defer stop()
	inserted, err := p.await(waiting)
	if err != nil {
		return nil, "", err
	}
	conn, err := p.slot.Connect(ctx)
	if err != nil {
		return nil, "", err
	}
	card, err = smartkort.Driver{Profiles: known}.Open(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, "", err
	}
	return card, inserted.Reader, nil
}

// await waits until there is a card.
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
			why = fmt.Errorf("no reader: %w", e.Err)
			fmt.Fprintf(p.stderr, "Waiting for a reader: %v.\n", e.Err)
		}
	}
	return slot.Event{}, why
}
