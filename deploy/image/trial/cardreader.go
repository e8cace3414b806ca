package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"smartkiosk/device/cardsim"
)

// Messages of the virtual smart card protocol, which QEMU's ccid-card-passthru speaks. A
// message has a header of three big-endian words: type, reader, and length of what follows.
// Source: libcacard, docs/libcacard.txt and vscard_common.h.
const (
	vscInit       = 1
	vscReaderAdd  = 3
	vscATR        = 5
	vscCardRemove = 6
	vscAPDU       = 7
)

// cardReader puts software cards into QEMU's USB reader. It speaks T=0 to a card. QEMU does
// not say when the machine switches the card's power on, so a card gets it when it is
// inserted.
type cardReader struct {
	conn net.Conn
	done chan struct{} // closed when serve has ended

	mu   sync.Mutex
	card *cardsim.Card // nil when the reader is empty
}

func newCardReader(c net.Conn) (*cardReader, error) {
	r := &cardReader{conn: c, done: make(chan struct{})}
	// Version 0.0.2, no capabilities.
	init := binary.BigEndian.AppendUint32([]byte("VSCD"), 2)
	err := errors.Join(r.send(vscInit, binary.BigEndian.AppendUint32(init, 0)), r.send(vscReaderAdd, nil))
	go r.serve()
	return r, err
}

func (r *cardReader) send(kind uint32, body []byte) error {
	header := binary.BigEndian.AppendUint32(nil, kind)
	header = binary.BigEndian.AppendUint32(header, 0)
	header = binary.BigEndian.AppendUint32(header, uint32(len(body)))
	_, err := r.conn.Write(slices.Concat(header, body))
	return err
}

// serve answers commands until the connection ends.
func (r *cardReader) serve() {
	defer close(r.done)
	for {
		var header [12]byte
		if _, err := io.ReadFull(r.conn, header[:]); err != nil {
			return
		}
		body := make([]byte, min(binary.BigEndian.Uint32(header[8:]), 1<<16))
		if _, err := io.ReadFull(r.conn, body); err != nil {
			return
		}
		if binary.BigEndian.Uint32(header[:]) != vscAPDU {
			continue
		}
		r.mu.Lock()
		response := []byte{0x6F, 0x00}
		if r.card != nil {
			response = r.card.Transmit(body)
		}
		err := r.send(vscAPDU, response)
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// insert puts the card of a file of smartkortsim into the reader.
func (r *cardReader) insert(path string) error {
	card, err := cardsim.Load(path)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	atr := card.PowerOn()
	if atr == nil {
		return fmt.Errorf("%s is a mute card", path)
	}
	r.card = card
	return r.send(vscATR, atr)
}

// remove pulls the card.
func (r *cardReader) remove() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.card = nil
	return r.send(vscCardRemove, nil)
}

func (r *cardReader) close() {
	r.conn.Close()
	<-r.done
}
