package hub

import (
	"bytes"
	"fmt"
	"slices"

	"smartkiosk/kiosk/protocol/event"
)

// JetStream syncs each message to disk once, however many events it holds. So the hub
// stores a kiosk's backlog as few messages with many events each. In normal operation a
// message is a single event.

// maxMessage is the largest size in bytes of a message with several events. NATS servers
// accept 1 MiB by default, and when a message is read back as base64 it must fit too. A
// single opened event is always smaller: of event.MaxSize sealed bytes, at most 48 KiB
// are the JWS and 36 KiB the payload.
const maxMessage = 512 << 10

// makeMessage puts as many of the events as fit, from the first on, into one message. It
// returns the message and the number of events in it. It reuses buffer if that is large
// enough.
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

// separator stands between the events of a message. An opened event contains no line
// break, so a message can be split without parsing the JSON.
const separator = ",\n"

// readMessage splits a message into its events: the elements of a JSON array
// (CloudEvents 1.0, JSON batch format) as makeMessage writes it, or the single event. It
// does not check the events.
func readMessage(text []byte) (events [][]byte) {
	text = bytes.TrimSpace(text)
	within, ok := bytes.CutPrefix(text, []byte{'['})
	if !ok {
		return [][]byte{text}
	}
	return bytes.Split(bytes.TrimSuffix(within, []byte{']'}), []byte(separator))
}

// joinMessage is the opposite of readMessage.
func joinMessage(events [][]byte) []byte {
	if len(events) == 1 {
		return events[0]
	}
	return slices.Concat([]byte{'['}, bytes.Join(events, []byte(separator)), []byte{']'})
}

func unreadable(place uint64, err error) error {
	return fmt.Errorf("cannot read the stream at %d: %w", place, err)
}
