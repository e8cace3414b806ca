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

// conn is the claim on one card. libpcsclite's calls block and know no
// context, so each runs in a goroutine of its own; what is not waited for any
// more goes on until the reader gives up, and only then is the card let go.
type conn struct {
	pcsc     *scard.Context
	card     *scard.Card
	reader   string
	alias    string // the reader's, for GetStatusChange
	protocol scard.Protocol
	atr      []byte
	letGo    func()

	// Of readers with keys (pinpad.go).
	control    func(code uint32, in []byte) ([]byte, error)
	verifyCode uint32 // 0 for a reader without

	mu      sync.Mutex
	closed  bool
	pending chan struct{} // closed when an abandoned command has ended
}

var errAbandoned = errors.New("an earlier command was abandoned")

func (c *conn) ATR() []byte { return c.atr }

type response struct {
	data []byte
	err  error
}

// Transmit implements apdu.Transmitter. When ctx ends first, the conn is of no
// further use but to be closed.
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
	// The caller may wipe or reuse its bytes while the library still reads.
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

// do has the reader do something, alone, that ends with a card's response.
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
		if err == nil && len(data) < 2 { // what some drivers make of a card that was pulled
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

// settle is how long pcscd may take to notice that a card is gone: it looks at
// some readers every 200 to 400 ms only, and a command that was under way fails
// before that, for no stated reason.
const settle = 600 * time.Millisecond

// left tells, after a command has failed, whether the card was taken out.
func (c *conn) left() bool {
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

// release resets the card and ends transaction, claim and context.
func (c *conn) release() error {
	defer c.letGo()
	defer c.pcsc.Release()
	err := c.card.Disconnect(scard.ResetCard)
	if err = explain(err); err != nil && !errors.Is(err, slot.ErrNoCard) {
		return fmt.Errorf("cannot reset card: %w", err)
	}
	return nil
}
