package hub

import (
	"bytes"
	"fmt"

	"smartkiosk/kiosk/protocol/event"
)

// What a message of the stream holds is synced to disk once, however many
// events that is. So what a kiosk sends at once, after a time without a hub,
// is stored as few messages of many events; in steady state it is one event,
// and a message of one is that event alone.

// maxMessage is the size in bytes that a message of several events stays
// within. NATS servers take 1 MiB unless told otherwise, and what is read back
// comes as base64, which must not be larger either. An event in plain is always
// smaller: of event.MaxSize bytes sealed at most 48 KiB are the JWS, and 36 KiB
// the payload.
const maxMessage = 512 << 10

// makeMessage gives the message of as many events, from the first on, as it may
// hold, and their number. It writes over what buffer holds, if that is large enough.
func makeMessage(buffer []byte, events []event.Opened) (text []byte, n int, err error) {
	text = append(buffer[:0], '[')
	for _, e := range events {
		whole := len(text)
		if n > 0 {
			text = append(text, separator...)
		}
		if text, err = e.AppendPlain(text); err != nil {
			return nil, 0, err
		}
		if n > 0 && len(text)+len("]") > maxMessage {
			text = text[:whole]
			break
		}
		n++
	}
	if n == 1 {
		return text[1:], n, nil
	}
	return append(text, ']'), n, nil
}

// separator stands between the events of a message. No event in plain has a line
// break, so that a message is taken apart without reading the JSON.
const separator = ",\n"

// readMessage gives the events of a message: those of a JSON array (CloudEvents
// 1.0, JSON batch format) as makeMessage writes it, or else the one that it is.
// What they hold is not looked at.
func readMessage(text []byte) (events [][]byte) {
	text = bytes.TrimSpace(text)
	within, ok := bytes.CutPrefix(text, []byte{'['})
	if !ok {
		return [][]byte{text}
	}
	return bytes.Split(bytes.TrimSuffix(within, []byte{']'}), []byte(separator))
}

func unreadable(place uint64, err error) error {
	return fmt.Errorf("cannot read the stream at %d: %w", place, err)
}
