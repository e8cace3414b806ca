package reader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ebfe/scard"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// Features of a reader (PC/SC part 10 §2.3): CM_IOCTL_GET_FEATURE_REQUEST is
// answered with TLVs, each the control code of one feature.
const (
	getFeatureRequest = 3400
	verifyPINDirect   = 0x06
)

// structureRefused is the reader's status for a PIN_VERIFY_STRUCTURE that it does
// not accept (PC/SC part 10 §2.5.2).
const structureRefused apdu.Status = 0x6B80

// padPatience is the reader's timeout for the first key and between keys.
const padPatience = 30 // seconds

// features parses the answer to CM_IOCTL_GET_FEATURE_REQUEST: tag, length 4,
// control code big-endian. It returns no features if the answer is malformed.
func features(b []byte) map[byte]uint32 {
	all := map[byte]uint32{}
	for len(b) > 0 {
		if len(b) < 6 || b[1] != 4 {
			return map[byte]uint32{}
		}
		all[b[0]] = binary.BigEndian.Uint32(b[2:])
		b = b[6:]
	}
	return all
}

// pinVerify encodes a PIN_VERIFY_STRUCTURE (PC/SC part 10 §2.5.2),
// little-endian. The reader puts the digits left-justified into the command's
// data.
func pinVerify(e slot.PINEntry) ([]byte, error) {
	if len(e.Command) < 6 || int(e.Command[4]) != len(e.Command)-5 || e.Min < 0 || e.Max < e.Min || e.Max > 0xFF {
		return nil, fmt.Errorf("%w: command of %d bytes for %d to %d digits", apdu.ErrMalformed, len(e.Command), e.Min, e.Max)
	}
	if room := int(e.Command[4]); e.Max > room && !e.BCD || e.Max > 2*room {
		return nil, fmt.Errorf("%w: %d digits do not fit into %d bytes", apdu.ErrMalformed, e.Max, room)
	}
	const (
		inBytes       = 0x80 // positions are in bytes
		bcd           = 0x01
		ascii         = 0x02
		whenOKPressed = 0x02
		norwegian     = 0x0414 // language of the reader's own messages, if it has any
	)
	format := byte(inBytes | ascii)
	if e.BCD {
		format = inBytes | bcd
	}
	block := e.Command[4]
	if block > 0x0F { // the field has four bits; 0 leaves the padding as it is
		block = 0
	}
	b := []byte{
		padPatience, padPatience, // bTimeOut, bTimeOut2
		format, block, 0x00, // bmFormatString, bmPINBlockString, bmPINLengthFormat
		byte(e.Max), byte(e.Min), // wPINMaxExtraDigit
		whenOKPressed, 0x00, // bEntryValidationCondition, bNumberMessage
	}
	b = binary.LittleEndian.AppendUint16(b, norwegian) // wLangId
	b = append(b, 0x00, 0x00, 0x00, 0x00)              // bMsgIndex, bTeoPrologue
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Command)))
	return append(b, e.Command...), nil
}

var _ slot.PINPad = (*conn)(nil)

// HasPINPad implements slot.PINPad.
func (c *conn) HasPINPad() bool { return c.verifyCode != 0 }

// padErrors are the reader's own status words, which it returns instead of the
// card's (PC/SC part 10 §2.5.2).
var padErrors = map[apdu.Status]error{
	0x6400: slot.ErrPadTimeout,
	0x6401: slot.ErrPadCancelled,
	0x6403: slot.ErrPadLength,
}

// VerifyOnPad implements slot.PINPad.
func (c *conn) VerifyOnPad(ctx context.Context, e slot.PINEntry) ([]byte, error) {
	if !c.HasPINPad() {
		return nil, errors.New("cannot verify on the reader: it has no keys")
	}
	request, err := pinVerify(e)
	if err != nil {
		return nil, fmt.Errorf("cannot verify on the reader: %w", err)
	}
	asked := time.Now()
	response, err := c.do(ctx, func() ([]byte, error) {
		response, err := c.control(c.verifyCode, request)
		if took := time.Since(asked); err == nil || took >= slot.TypingTime {
			return response, err
		}
		return nil, fmt.Errorf("%w: %w", slot.ErrPadRefused, err)
	})
	early := time.Since(asked) < slot.TypingTime
	if err == nil {
		var r apdu.Response
		if r, err = apdu.ParseResponse(response); err == nil {
			err = padErrors[r.SW]
		}
		switch {
		case err == nil && r.SW == structureRefused:
			err = fmt.Errorf("%w: %v", slot.ErrPadRefused, r.SW)
		case early && (err == slot.ErrPadTimeout || err == slot.ErrPadLength):
			err = fmt.Errorf("%w: it answered %v at once", slot.ErrPadRefused, r.SW)
		}
	}
	if errors.Is(err, slot.ErrPadRefused) {
		c.verifyCode = 0
		c.padRefused(err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot verify on the reader: %w", err)
	}
	return response, nil
}

// askFeatures finds out whether the reader has keys. Most readers have none, and
// many drivers answer with an error.
func (c *conn) askFeatures() {
	if b, err := c.control(scard.CtlCode(getFeatureRequest), []byte{0}); err == nil {
		c.verifyCode = features(b)[verifyPINDirect]
	}
}
