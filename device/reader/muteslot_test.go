//go:build linux

package reader_test

import (
	"context"
	"log/slog"
	"testing"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/reader"
	"smartkiosk/device/slot"
)

// TestMuteSlot: a reader has a second slot that always reports a mute card, as
// one for security modules does. A card in the first slot is found, connected,
// and reported as removed.
func TestMuteSlot(t *testing.T) {
	d := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cardsim.ServeVPCD(ctx, "127.0.0.1:35964", cards(t)["mute"]) }()
	defer func() { cancel(); <-ended }()

	r := reader.New("", slog.New(slog.DiscardHandler))
	events := r.Watch(t.Context())
	await := func(want slot.State) slot.Event {
		t.Helper()
		for e := range events {
			if e.State == want {
				return e
			}
		}
		t.Fatalf("the slot was never %v", want)
		return slot.Event{}
	}
	mute := await(slot.Mute)
	remove := d.Insert(t, cards(t)["valid"])
	present := await(slot.Present)
	if present.Reader == mute.Reader {
		t.Fatalf("the card answers in the mute card's slot %q", mute.Reader)
	}
	conn, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	remove()
	await(slot.Empty) // and not Mute: the other slot's card has not changed
}
