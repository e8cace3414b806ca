package smartkort

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// Bounds against cards that are broken or hostile. A visit takes some 30 APDUs.
const (
	maxAPDUs   = 256       // for one Card, from Open to Close
	maxSearch  = 48        // sent in search of an application, before another place is tried
	maxListed  = 8         // applications in EF.DIR
	maxBlocks  = 64        // reads of one file
	maxFile    = 16 * 1024 // bytes of one file: 64 blocks of 256
	maxObjects = 64        // objects of one directory
	maxCerts   = 16        // certificates read from one card
	maxUnasked = maxRSA    // bytes of one answer, where fewer were asked for

	// maxAnswer is the longest that a card may take for one command. Making
	// an RSA signature takes old cards about a second.
	maxAnswer = 4 * time.Second
)

// ErrTimeout says that a card, or its reader, gave no answer in time.
var ErrTimeout = errors.New("card does not answer")

// ErrSecureMessaging says that a card takes its commands under secure
// messaging only (ISO 7816-4 §10), which needs keys that nobody gives out.
var ErrSecureMessaging = errors.New("card wants secure messaging, which is not supported")

// line is the way to the card, in the forms of command that it takes, with a
// bound on everything.
type line struct {
	slot.Conn
	t0       bool // the card knows no other transmission protocol
	extended bool // it takes extended length; if not, long commands are chained
	sent     int
	due      int // bytes that GET RESPONSE may bring for the command at hand
}

func newLine(conn slot.Conn, p *Profile) *line {
	atr, err := apdu.ParseATR(conn.ATR())
	l := &line{Conn: conn, t0: err != nil || !atr.OffersT1(), extended: atr.Extended}
	if p.Transport.Extended != nil {
		l.extended = *p.Transport.Extended
	}
	l.extended = l.extended && !l.t0
	return l
}

// largest is how many bytes are read at a time, where so many are known to be
// there: more than the short form has only if the card takes extended length,
// and then no more than readers have room for (CCID, dwMaxCCIDMessageLength).
func (l *line) largest() int {
	if l.extended {
		return 2048
	}
	return apdu.MaxShortLe
}

// exchange has the card carry out a command, however long.
func (l *line) exchange(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	exchange := apdu.ExchangeChained
	if l.extended {
		exchange = apdu.Exchange
	}
	l.due = max(cmd.Le, maxUnasked)
	r, err := exchange(ctx, l, cmd)
	if err == nil && (r.SW == apdu.SecureMessagingMissing || r.SW == apdu.SecureMessagingWrong) {
		return r, fmt.Errorf("%w: %v", ErrSecureMessaging, r.SW)
	}
	return r, err
}

// demand is exchange for a command of which any status but 9000 is an error.
func (l *line) demand(ctx context.Context, cmd apdu.Command) ([]byte, error) {
	r, err := l.exchange(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if r.SW != apdu.OK {
		return nil, r.SW
	}
	return r.Data, nil
}

// Transmit implements apdu.Transmitter.
func (l *line) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if l.sent >= maxAPDUs {
		return nil, fmt.Errorf("%w: %d APDUs in one visit", apdu.ErrEndless, l.sent)
	}
	l.sent++
	if l.t0 {
		command = apdu.T0(command)
	}
	timed, stop := context.WithTimeoutCause(ctx, maxAnswer, ErrTimeout)
	defer stop()
	response, err := l.Conn.Transmit(timed, command)
	if len(command) > 1 && command[1] == insGetResponse {
		if l.due -= len(response) - 2; l.due < 0 {
			return nil, fmt.Errorf("%w: more bytes than were asked for", apdu.ErrEndless)
		}
	}
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return nil, fmt.Errorf("%w within %v", context.Cause(timed), maxAnswer)
	}
	return response, err
}
