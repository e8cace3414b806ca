package cardsim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// Control frames of the vpcd protocol, which have one byte. A longer frame is a
// command APDU. Each frame is preceded by its length, two bytes big-endian.
// Source: vsmartcard, virtualsmartcard/src/vpcd/vpcd.h.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// maxATR is the maximum length of an answer to reset (ISO 7816-3 §8.2.1).
const maxATR = 33

// ErrReaderGone means that the virtual reader disappeared with a card in it.
var ErrReaderGone = errors.New("the virtual reader is gone")

// firstPoll is how long a virtual reader may take to detect a card. It polls
// about three times a second, unless it already has a card.
const firstPoll = 5 * time.Second

// ServeVPCD inserts a card into the virtual PC/SC reader that listens at addr
// (Debian's vsmartcard-vpcd: 127.0.0.1:35963) and answers commands until ctx
// ends. Then it removes the card and returns nil. It fails when no reader
// listens, when the reader already has another card, and with ErrReaderGone
// when the reader disappears, for example because pcscd ends.
func ServeVPCD(ctx context.Context, addr string, card *Card) error {
	err := serveVPCD(ctx, addr, card)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrReaderGone
	}
	return err
}

func serveVPCD(ctx context.Context, addr string, card *Card) error {
	dialer := net.Dialer{Timeout: firstPoll}
	reader, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot reach virtual reader: %w", err)
	}
	defer reader.Close()
	defer context.AfterFunc(ctx, func() { reader.Close() })()
	defer card.PowerOff()
	err = reader.SetReadDeadline(time.Now().Add(firstPoll))
	for polled := false; err == nil; polled = true {
		var frame []byte
		if frame, err = readFrame(reader); err != nil {
			break
		}
		if !polled {
			err = reader.SetReadDeadline(time.Time{})
		}
		if err == nil {
			err = card.serveFrame(reader, frame)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the virtual reader does not accept the card: is another card in it?")
	}
	return fmt.Errorf("cannot serve virtual reader: %w", err)
}

func (c *Card) serveFrame(w io.Writer, frame []byte) error {
	switch {
	case len(frame) == 0:
		return errors.New("empty frame")
	case len(frame) > 1:
		response := c.Transmit(frame)
		c.waitAPDU(frame, response)
		return writeFrame(w, response)
	}
	switch frame[0] {
	case vpcdOff:
		c.PowerOff()
	case vpcdOn, vpcdReset:
		c.waitReset(c.PowerOn())
	case vpcdATR:
		return writeFrame(w, c.vpcdATR())
	default:
		return fmt.Errorf("unknown control %d", frame[0])
	}
	return nil
}

// vpcdATR returns the answer to reset for vpcd. vpcd treats an empty answer as
// no card. If the answer is too long, vpcd detects a card and fails to power it
// up, like a reader with a card that was inserted the wrong way round.
func (c *Card) vpcdATR() []byte {
	if atr := c.ATR(); atr != nil {
		return atr
	}
	return make([]byte, maxATR+1)
}

// readFrame reads one frame. vpcd writes length and body separately, and its
// kernel sends the body only after the length was acknowledged. Our kernel would
// delay the acknowledgement by 40 ms unless each read prevents it.
func readFrame(reader net.Conn) ([]byte, error) {
	var length [2]byte
	if err := acknowledgeAtOnce(reader); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(reader, length[:]); err != nil {
		return nil, err
	}
	if err := acknowledgeAtOnce(reader); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(reader, frame)
	return frame, err
}

func writeFrame(w io.Writer, b []byte) error {
	_, err := w.Write(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b))
	return err
}
