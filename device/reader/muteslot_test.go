//go:build linux

package reader_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

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

// TestTwoCards: with a card in each of two slots, ConnectTo opens the one that it names,
// and none if that one is gone.
func TestTwoCards(t *testing.T) {
	d := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cardsim.ServeVPCD(ctx, "127.0.0.1:35964", cards(t)["expired"]) }()
	defer func() { cancel(); <-ended }()

	r := reader.New("", slog.New(slog.DiscardHandler))
	events := r.Watch(t.Context())
	await := func(want slot.State, not string) slot.Event {
		t.Helper()
		for e := range events {
			if e.State == want && e.Reader != not {
				return e
			}
		}
		t.Fatalf("the slot was never %v", want)
		return slot.Event{}
	}
	held := await(slot.Present, "").Reader
	remove := d.Insert(t, cards(t)["valid"])
	other := ""
	for _, name := range []string{"Virtual PCD 00 00", "Virtual PCD 00 01"} {
		if name != held {
			other = name
		}
	}
	for deadline := time.After(time.Minute); ; { // pcscd sees the card a moment later
		conn, err := r.ConnectTo(t.Context(), other)
		if err == nil {
			conn.Close()
			break
		}
		if !errors.Is(err, slot.ErrNoCard) {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	remove()
	for deadline := time.After(time.Minute); ; {
		conn, err := r.ConnectTo(t.Context(), other)
		if errors.Is(err, slot.ErrNoCard) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		select {
		case <-deadline:
			t.Fatal("the card that is gone is still opened")
		case <-time.After(20 * time.Millisecond):
		}
	}
	if conn, err := r.ConnectTo(t.Context(), held); err != nil {
		t.Errorf("the card that stayed: %v", err)
	} else {
		conn.Close()
	}
}
