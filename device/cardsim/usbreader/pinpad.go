package usbreader

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"smartkiosk/device/cardsim/usbreader/t1"
	"smartkiosk/device/slot"
)

// Keypad plays the holder at the reader's keys. The reader calls it to ask for a
// PIN. It returns the digits in ASCII, which the reader wipes. slot.ErrPadCancelled
// means that the holder pressed cancel. Any other error, or the end of ctx, means
// that the holder typed nothing. ctx ends when the host's time is up, the card is
// removed or the reader is unplugged; the Keypad must then return.
type Keypad func(ctx context.Context) (digits []byte, err error)

// defaultPatience is the reader's timeout if the host sets none.
const defaultPatience = 30 * time.Second

// pinEntry is a PIN verification data structure (CCID §6.1.11).
type pinEntry struct {
	patience time.Duration
	encoding byte // of digits: binary, BCD or ASCII
	right    bool // the digits are right-justified in their field
	at, size int  // the field's offset and size in the command's data, in bytes
	min, max int  // digits
	prologue [3]byte
	apdu     []byte // the command with the padding; aliases what it was parsed from
}

// The encoding of digits (bmFormatString, bits 1 and 0).
const (
	pinBinary = 0
	pinBCD    = 1
	pinASCII  = 2
)

// parsePINEntry decodes abData of PC_to_RDR_Secure. ok is false when a field is
// invalid or not supported; place is the field's offset in the message. The
// reader does not insert the PIN's length (bmPINLengthFormat).
func parsePINEntry(b []byte) (e pinEntry, place failureCode, ok bool) {
	const (
		operation  = 0 // bPINOperation: 0 to verify
		timeout    = 1
		format     = 2 // bmFormatString
		field      = 3 // bmPINBlockString
		extra      = 5 // wPINMaxExtraDigit: most, then least
		prologue   = 12
		apdu       = 15
		apduHeader = 5
	)
	wrong := func(at int) (pinEntry, failureCode, bool) { return pinEntry{}, failureCode(headerSize + at), false }
	if len(b) < apdu+apduHeader {
		return pinEntry{}, badLength, false
	}
	e = pinEntry{
		patience: time.Duration(b[timeout]) * time.Second,
		encoding: b[format] & 3, right: b[format]&4 != 0, at: int(b[format] >> 3 & 0x0F), size: int(b[field] & 0x0F),
		max: int(b[extra]), min: int(b[extra+1]), prologue: [3]byte(b[prologue:]), apdu: b[apdu:],
	}
	if e.patience == 0 {
		e.patience = defaultPatience
	}
	if inBytes := b[format]&0x80 != 0; !inBytes {
		if e.at%8 != 0 {
			return wrong(format)
		}
		e.at /= 8
	}
	room := len(e.apdu) - apduHeader
	if e.size == 0 {
		e.size = room - e.at // no field is given: the bytes after the digits stay
	}
	switch {
	case b[operation] != 0:
		return wrong(operation)
	case e.encoding > pinASCII:
		return wrong(format)
	case b[field]>>4 != 0 || e.at+e.size > room || e.size < 0:
		return wrong(field)
	case e.min > e.max || e.written(e.max) > e.size:
		return wrong(extra)
	case int(e.apdu[4]) != room:
		return wrong(apdu + 4)
	}
	return e, 0, true
}

// written returns the number of bytes of n digits.
func (e pinEntry) written(n int) int {
	if e.encoding == pinBCD {
		return (n + 1) / 2
	}
	return n
}

// accepts reports whether the reader's OK key accepts the digits.
func (e pinEntry) accepts(digits []byte) bool {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(digits) >= e.min && len(digits) <= e.max
}

// command returns the command with the digits.
func (e pinEntry) command(digits []byte) []byte {
	command := bytes.Clone(e.apdu)
	field := command[5+e.at:][:e.size]
	if e.right {
		field = field[e.size-e.written(len(digits)):]
	}
	for i, d := range digits {
		switch {
		case e.encoding == pinASCII:
			field[i] = d
		case e.encoding == pinBinary:
			field[i] = d - '0'
		case i%2 == 0:
			field[i/2] = (d-'0')<<4 | field[i/2]&0x0F
		default:
			field[i/2] = field[i/2]&0xF0 | (d - '0')
		}
	}
	return command
}

// secure is PC_to_RDR_Secure (CCID §6.1.11): it asks the holder for the PIN and
// sends it to the card.
func (r *Reader) secure(ctx context.Context, m message) answer {
	const levelPlace = 8 // wLevelParameter
	if binary.LittleEndian.Uint16(m.specific[1:]) != 0 {
		return failure(dataBlock, levelPlace)
	}
	e, place, ok := parsePINEntry(m.data)
	if !ok {
		return failure(dataBlock, place)
	}
	k := r.touching()
	if k == nil {
		return failure(dataBlock, cardMute)
	}
	digits, err := r.ask(ctx, k, e.patience)
	defer clear(digits)
	switch {
	case r.touching() != k:
		return failure(dataBlock, cardMute)
	case errors.Is(err, slot.ErrPadCancelled):
		return failure(dataBlock, pinCancelled)
	case err != nil || !e.accepts(digits):
		return failure(dataBlock, pinTimeout)
	}
	command := e.command(digits)
	defer clear(command)
	if k.block != nil {
		command = t1.Block{NAD: e.prologue[0], PCB: t1.PCB(e.prologue[1]), Information: command}.Bytes()
		defer clear(command)
	}
	return r.exchange(k, command)
}

// ask calls the Keypad, until the time is up or the card is removed.
func (r *Reader) ask(ctx context.Context, k *contact, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	go func() {
		select {
		case <-k.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	if r.config.Keypad == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	digits, err := r.config.Keypad(ctx)
	if err == nil && ctx.Err() != nil {
		clear(digits)
		return nil, ctx.Err()
	}
	return digits, err
}
