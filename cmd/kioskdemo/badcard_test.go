package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"smartkiosk/cmd/internal/demo"
	"smartkiosk/cmd/internal/demo/script"
	"smartkiosk/device/slot"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/screen"
)

// badSlot is a slot whose cards answer as a test says. A card's name picks
// how.
type badSlot struct {
	*demo.SoftwareSlot
	answers map[string]func(slot.Conn) slot.Conn

	mu  sync.Mutex
	bad func(slot.Conn) slot.Conn
}

func (s *badSlot) Insert(name string) error {
	s.mu.Lock()
	s.bad = s.answers[name]
	s.mu.Unlock()
	return s.SoftwareSlot.Insert("valid")
}

func (s *badSlot) Connect(ctx context.Context) (slot.Conn, error) {
	conn, err := s.SoftwareSlot.Connect(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.bad == nil {
		return conn, err
	}
	return s.bad(conn), nil
}

// answering is a card that answers each command by a function of its own.
type answering struct {
	slot.Conn
	answer func(conn slot.Conn, ctx context.Context, command []byte) ([]byte, error)
}

func (c answering) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.answer(c.Conn, ctx, command)
}

// TestBadCards: a card that is no card of ours, speaks garbage or falls silent
// ends its visit with a screen and an event; the next card is served.
func TestBadCards(t *testing.T) {
	answers := map[string]func(slot.Conn) slot.Conn{
		"unknown": func(c slot.Conn) slot.Conn {
			return answering{c, func(slot.Conn, context.Context, []byte) ([]byte, error) {
				return []byte{0x6A, 0x82}, nil
			}}
		},
		"garbage": func(c slot.Conn) slot.Conn {
			return answering{c, func(slot.Conn, context.Context, []byte) ([]byte, error) {
				b := make([]byte, 64)
				_, _ = rand.Read(b)
				return append(b, 0x90, 0x00), nil
			}}
		},
		"mute-in-the-middle": func(c slot.Conn) slot.Conn {
			n := 0
			return answering{c, func(conn slot.Conn, ctx context.Context, command []byte) ([]byte, error) {
				if n++; n > 5 {
					return nil, errors.New("the reader had no answer in time")
				}
				return conn.Transmit(ctx, command)
			}}
		},
		"gone-while-signing": func(c slot.Conn) slot.Conn {
			return answering{c, func(conn slot.Conn, ctx context.Context, command []byte) ([]byte, error) {
				if command[1] == 0x2A {
					return nil, slot.ErrNoCard
				}
				return conn.Transmit(ctx, command)
			}}
		},
	}
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	newSlot := func(cards string) (demo.Slot, error) {
		deck, err := demo.LoadDeck(cards)
		return &badSlot{SoftwareSlot: demo.NewSoftwareSlot(deck), answers: answers}, err
	}
	p := script.NewPanel()
	d, err := demo.Open(t.Context(), t.TempDir()+"/demo", demo.Loopback, newSlot, p, texts, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, "test") }()

	visits, err := script.Parse("visits", strings.NewReader(`
		insert unknown
		expect screen failed
		remove
		insert garbage
		expect screen failed
		remove
		insert gone-while-signing
		keys 1234#
		expect screen failed
		remove
		insert mute-in-the-middle
		expect screen failed
		remove
		insert valid
		keys 1234#
		expect verdict granted
		expect feed 5`))
	if err != nil {
		t.Fatal(err)
	}
	if err := visits.Play(ctx, d, p); err != nil {
		t.Error(err)
	}
	want := map[string]bool{"failed card-unknown": true, "failed card-unreadable": true, "granted ": true}
	for _, raw := range d.Settle(t.Context()) {
		var e struct {
			Type string
			Data event.Visit
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == event.TypeVisit {
			got := string(e.Data.Outcome) + " " + string(e.Data.Reason)
			if !want[got] {
				t.Errorf("an event says %q", got)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
