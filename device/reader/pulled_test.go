//go:build linux

package reader_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/slot"
)

// insertFake inserts a card into pcscd's virtual reader. A function answers the
// commands; the answer nil removes the card at that moment. The protocol of vpcd has
// frames with a length of two bytes; a frame of one byte is a control.
func insertFake(t *testing.T, answer func(command []byte) []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", pcsctest.Address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	send := func(b []byte) {
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	}
	go func() {
		defer close(ended)
		defer conn.Close()
		for {
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, frame); err != nil {
				return
			}
			const getATR = 4
			switch {
			case len(frame) == 1 && frame[0] == getATR:
				send([]byte{0x3B, 0x00})
			case len(frame) > 1:
				b := answer(frame)
				if b == nil {
					return
				}
				send(b)
			}
		}
	}()
}

// connectFake connects to a fake card.
func connectFake(t *testing.T, answer func([]byte) []byte) (func(slot.State) slot.Event, slot.Slot, slot.Conn) {
	t.Helper()
	start(t)
	r := newReader()
	next := watch(t, r)
	next(slot.Empty)
	insertFake(t, answer)
	next(slot.Present)
	conn, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return next, r, conn
}

// TestPulledInMidCommand: pcscd reports only that the command failed, and notices
// later that the card was removed.
func TestPulledInMidCommand(t *testing.T) {
	next, _, conn := connectFake(t, func([]byte) []byte { return nil })
	if _, err := conn.Transmit(t.Context(), selectMF); !errors.Is(err, slot.ErrNoCard) {
		t.Errorf("transmit: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	next(slot.Empty)
}

// TestCardThatNeverAnswers: Transmit returns when its context ends, and the connection
// can be closed at once. The next Connect waits until the reader has given up.
func TestCardThatNeverAnswers(t *testing.T) {
	asked, answers := make(chan struct{}), make(chan []byte)
	_, r, conn := connectFake(t, func(command []byte) []byte {
		close(asked)
		return <-answers
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := conn.Transmit(ctx, selectMF); !errors.Is(err, context.Canceled) {
		t.Errorf("transmit: %v", err)
	}
	if _, err := conn.Transmit(t.Context(), selectMF); err == nil || errors.Is(err, slot.ErrNoCard) {
		t.Errorf("transmit after that: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Connect(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("connect while the command is under way: %v", err)
	}
	answers <- []byte{0x90, 0x00}
	again, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
