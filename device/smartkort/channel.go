package smartkort

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// Bounds against broken and hostile cards. A visit takes about 30 APDUs.
const (
	maxAPDUs   = 256       // for one Card, from Open to Close
	maxSearch  = 48        // APDUs after which the search for an application stops
	maxListed  = 8         // applications in EF.DIR
	maxBlocks  = 64        // reads of one file
	maxFile    = 16 * 1024 // bytes of one file: 64 blocks of 256
	maxObjects = 64        // objects of one directory
	maxCerts   = 16        // certificates read from one card
	maxUnasked = maxRSA    // bytes of one response when fewer were requested

	// maxAnswer is the time limit for one command. Old cards take about a
	// second for an RSA signature.
	maxAnswer = 4 * time.Second
)

// ErrTimeout means that the card or its reader did not answer in time.
var ErrTimeout = errors.New("card does not answer")

// ErrSecureMessaging means that the card accepts commands only under secure
// messaging (ISO 7816-4 §10), which needs keys that only its issuer has.
var ErrSecureMessaging = errors.New("card requires secure messaging, which is not supported")

// channel sends commands to the card in the form that the card accepts, and
// limits their number, their time and the size of the responses.
type channel struct {
	slot.Conn
	t0       bool // T=0 is the card's only transmission protocol
	extended bool // the card accepts extended length; otherwise long commands are chained
	sent     int  // APDUs sent so far
	due      int  // bytes that GET RESPONSE may still return for the current command

	corrected int  // the length in 6Cxx that answered the current command, 0 for none
	strict    bool // the card has answered with 6Cxx
}

func newChannel(conn slot.Conn, p *Profile) *channel {
	atr, err := apdu.ParseATR(conn.ATR())
	l := &channel{Conn: conn, t0: err != nil || !atr.OffersT1(), extended: atr.Extended}
	if p.Transport.Extended != nil {
		l.extended = *p.Transport.Extended
	}
	l.extended = l.extended && !l.t0
	return l
}

// largest returns how many bytes to read at a time when that many are known to
// exist. With extended length it is more than the short form allows, but no
// more than fits into a reader's buffer (CCID, dwMaxCCIDMessageLength).
func (l *channel) largest() int {
	if l.extended {
		return 2048
	}
	return apdu.MaxShortLe
}

// exchange sends a command of any length and returns the whole response.
func (l *channel) exchange(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	exchange := apdu.ExchangeChained
	if l.extended {
		exchange = apdu.Exchange
	}
	l.due, l.corrected = max(cmd.Le, maxUnasked), 0
	if cmd.INS == insReadBinary || cmd.INS == insGetData { // some cards return the whole rest of a file
		l.due = maxFile
	}
	r, err := exchange(ctx, l, cmd)
	if err == nil && (r.SW == apdu.SecureMessagingMissing || r.SW == apdu.SecureMessagingWrong) {
		return r, fmt.Errorf("%w: %v", ErrSecureMessaging, r.SW)
	}
	return r, err
}

// demand is like exchange, but returns any status except 9000 as an error.
func (l *channel) demand(ctx context.Context, cmd apdu.Command) ([]byte, error) {
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
func (l *channel) Transmit(ctx context.Context, command []byte) ([]byte, error) {
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
	if n := len(response); err == nil && n == 2 && response[0] == 0x6C && l.corrected == 0 {
		l.corrected, _ = (apdu.Status(0x6C00) | apdu.Status(response[1])).RightLe()
		l.strict = true
	}
	if len(command) > 1 && command[1] == insGetResponse {
		if l.due -= len(response) - 2; l.due < 0 {
			return nil, fmt.Errorf("%w: response is longer than requested", apdu.ErrEndless)
		}
	}
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return nil, fmt.Errorf("%w within %v", context.Cause(timed), maxAnswer)
	}
	return response, err
}
