package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// conn is an exclusive connection to one card. libpcsclite's calls block and
// accept no context, so each runs in its own goroutine. A call whose context
// ended continues until the reader gives up; only then is the card released.
type conn struct {
	pcsc     *scard.Context
	card     *scard.Card
	reader   string
	alias    string // the reader's name for GetStatusChange
	protocol scard.Protocol
	atr      []byte
	letGo    func() // allows the Reader's next Connect

	// For readers with keys (pinpad.go).
	control    func(code uint32, in []byte) ([]byte, error)
	verifyCode uint32          // the control code of FEATURE_VERIFY_PIN_DIRECT, 0 if the reader has no keys
	padRefused func(err error) // called when the reader did not ask for the PIN

	left func() bool // cardLeft

	mu      sync.Mutex
	closed  bool
	pending chan struct{} // closed when a command whose context ended has returned
}

var errAbandoned = errors.New("an earlier command was abandoned")

func (c *conn) ATR() []byte { return c.atr }

type response struct {
	data []byte
	err  error
}

// Transmit implements apdu.Transmitter. If ctx ends first, the only thing left
// to do with the conn is to close it.
func (c *conn) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(command) < 4 {
		return nil, fmt.Errorf("cannot transmit: %w: command of %d bytes", apdu.ErrMalformed, len(command))
	}
	if c.protocol == scard.ProtocolT0 {
		command = apdu.T0(command)
	}
	// The caller may wipe its bytes while the library still reads them.
	own := bytes.Clone(command)
	data, err := c.do(ctx, func() ([]byte, error) {
		defer clear(own)
		return c.card.Transmit(own)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot transmit: %w", err)
	}
	return data, nil
}

// do runs a call of the library that returns a card's response. Only one call
// runs at a time.
func (c *conn) do(ctx context.Context, work func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, fmt.Errorf("%w: connection closed", slot.ErrNoCard)
	case c.pending != nil:
		return nil, errAbandoned
	}
	done, ended := make(chan response, 1), make(chan struct{})
	go func() {
		defer close(ended)
		data, err := work()
		if err == nil && len(data) < 2 { // some drivers return this for a removed card
			err = fmt.Errorf("%w: response of %d bytes", apdu.ErrMalformed, len(data))
		}
		if err != nil && err != scard.ErrNoService && c.left() {
			err = fmt.Errorf("%w: %v", slot.ErrNoCard, err)
		}
		done <- response{data, err}
	}()
	select {
	case r := <-done:
		return r.data, explain(r.err)
	case <-ctx.Done():
		c.pending = ended
		return nil, ctx.Err()
	}
}

// settle is how long pcscd may take to notice that a card was removed. It polls
// some readers every 200 to 400 ms, and a running command fails before that
// with an unspecific error.
const settle = 600 * time.Millisecond

// cardLeft reports whether the card was removed. It is called after a command has
// failed.
func (c *conn) cardLeft() bool {
	state := []scard.ReaderState{{Reader: c.alias, CurrentState: scard.StatePresent | scard.StateExclusive}}
	err := c.pcsc.GetStatusChange(state, settle)
	return err == nil && state[0].EventState&scard.StatePresent == 0
}

// Close implements slot.Conn.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.pending != nil {
		go func() {
			<-c.pending
			c.release()
		}()
		return nil
	}
	return c.release()
}

// release resets the card and releases transaction, card and PC/SC context.
func (c *conn) release() error {
	defer c.letGo()
	defer c.pcsc.Release()
	err := c.card.Disconnect(scard.ResetCard)
	if err = explain(err); err != nil && !errors.Is(err, slot.ErrNoCard) {
		return fmt.Errorf("cannot reset card: %w", err)
	}
	return nil
}
