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

// Controls of the vpcd protocol: frames of one byte. A longer frame is a
// command APDU. Each frame has its length before it, two bytes big-endian.
// Source: vsmartcard, virtualsmartcard/src/vpcd/vpcd.h.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// maxATR is the most bytes that an answer to reset has (ISO 7816-3 §8.2.1).
const maxATR = 33

// ErrReaderGone says that a virtual reader went away under the card in it.
var ErrReaderGone = errors.New("the virtual reader has gone")

// firstPoll is how long a virtual reader may take to let a card in. It looks
// some three times a second, unless another card is in it.
const firstPoll = 5 * time.Second

// ServeVPCD puts a card into the virtual PC/SC reader that listens at addr
// (Debian's vsmartcard-vpcd: 127.0.0.1:35963) and lets it answer until ctx
// ends; then it pulls the card and gives nil. It fails when no reader listens,
// when the reader does not take the card, since another is in it, and with
// ErrReaderGone when the reader goes away, as it does with pcscd.
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
		return errors.New("the virtual reader does not take the card: is there another in it?")
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

// vpcdATR is the answer to reset in vpcd's terms. vpcd takes an empty one for
// no card at all. One that is longer than can be makes it see a card and fail
// to power it up, which is what a card put in the wrong way does to a reader.
func (c *Card) vpcdATR() []byte {
	if atr := c.ATR(); atr != nil {
		return atr
	}
	return make([]byte, maxATR+1)
}

// readFrame reads one frame. vpcd writes length and body apart, and its
// system holds the body back until the length is acknowledged; ours would
// wait 40 ms with that unless told each time not to.
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
