package usbreader_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/cardsim/usbreader"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Endpoints of the reader.
const (
	commandsOut = 1
	answersIn   = 2
	eventsIn    = 3
)

// host is the USB host of a reader. It has its own encoding of USB/IP and CCID.
type host struct {
	t    testing.TB
	conn net.Conn
	done chan error // what Serve gave

	mu       sync.Mutex
	sequence uint32
	pending  map[uint32]request
	message  byte // bSeq
	waits    int  // extensions of the waiting time that the reader asked for
}

// request is a request without a result yet.
type request struct {
	room int // bytes for what comes in
	end  chan reply
}

// reply is the result of a request.
type reply struct {
	status int32
	length int
	data   []byte
}

// plugIn plugs in a reader until the test or unplug ends it.
func plugIn(t testing.TB, r *usbreader.Reader) *host {
	ours, theirs := net.Pipe()
	h := &host{t: t, conn: ours, done: make(chan error, 1), pending: map[uint32]request{}}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { h.done <- r.Serve(ctx, theirs) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.receive()
	}()
	t.Cleanup(func() {
		cancel()
		ours.Close()
		<-ended
	})
	return h
}

// configured returns a reader after the host has enumerated it.
func configured(t testing.TB, r *usbreader.Reader) *host {
	h := plugIn(t, r)
	if got := h.control("00 09 0100 0000 0000"); got.status != 0 {
		t.Fatalf("SET_CONFIGURATION: %+v", got)
	}
	return h
}

// receive passes replies to the callers that wait for them.
func (h *host) receive() {
	for {
		var b [48]byte
		if _, err := io.ReadFull(h.conn, b[:]); err != nil {
			return
		}
		word := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
		h.mu.Lock()
		q, ok := h.pending[word(4)]
		delete(h.pending, word(4))
		h.mu.Unlock()
		r := reply{status: int32(word(0x14)), length: int(word(0x18))}
		if !ok || q.room > 0 && r.length > q.room {
			h.t.Errorf("request %d is returned, with %d bytes", word(4), r.length)
			return
		}
		if q.room > 0 {
			r.data = make([]byte, r.length)
			if _, err := io.ReadFull(h.conn, r.data); err != nil {
				return
			}
		}
		q.end <- r
	}
}

// post sends a request: the words of its header by their offsets, and the data. room
// is the number of bytes that the host accepts.
func (h *host) post(words map[int]uint32, setup, data []byte, room int) (sequence uint32, end <-chan reply) {
	h.t.Helper()
	q := request{room: room, end: make(chan reply, 1)}
	h.mu.Lock()
	h.sequence++
	sequence = h.sequence
	h.pending[sequence] = q
	h.mu.Unlock()
	b := make([]byte, 48, 48+len(data))
	binary.BigEndian.PutUint32(b[4:], sequence)
	binary.BigEndian.PutUint32(b[8:], 0x10001)
	for at, v := range words {
		binary.BigEndian.PutUint32(b[at:], v)
	}
	copy(b[0x28:], setup)
	if _, err := h.conn.Write(append(b, data...)); err != nil {
		h.t.Fatal(err)
	}
	return sequence, q.end
}

// in requests a transfer from the device.
func (h *host) in(endpoint uint32, room int) (sequence uint32, end <-chan reply) {
	h.t.Helper()
	return h.post(map[int]uint32{0: 1, 0x0C: 1, 0x10: endpoint, 0x18: uint32(room)}, nil, nil, room)
}

// out makes a transfer to the device.
func (h *host) out(endpoint uint32, data []byte) reply {
	h.t.Helper()
	_, end := h.post(map[int]uint32{0: 1, 0x10: endpoint, 0x18: uint32(len(data)), 0x20: 0xFFFFFFFF}, nil, data, 0)
	return <-end
}

// unlink unlinks a request and returns the result.
func (h *host) unlink(target uint32) reply {
	h.t.Helper()
	_, end := h.post(map[int]uint32{0: 2, 0x14: target}, nil, nil, 0)
	return <-end
}

// control sends a control request. setup is in hex; its last two bytes are the
// length of the answer.
func (h *host) control(setup string) reply {
	h.t.Helper()
	b := unhex(h.t, setup)
	in := uint32(b[0] >> 7)
	room := int(in) * int(binary.LittleEndian.Uint16(b[6:]))
	_, end := h.post(map[int]uint32{0: 1, 0x0C: in, 0x18: uint32(room)}, b, nil, room)
	return <-end
}

// answer returns the next answer.
func (h *host) answer() []byte {
	h.t.Helper()
	_, end := h.in(answersIn, 512)
	r := <-end
	if r.status != 0 {
		h.t.Fatalf("no answer: %+v", r)
	}
	return r.data
}

// send sends a message to slot 0, without waiting for the answer.
func (h *host) send(kind byte, specific string, data []byte) {
	h.t.Helper()
	m := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(data)))
	m = append(m, 0, h.message)
	h.message++
	m = append(append(m, unhex(h.t, specific)...), data...)
	if r := h.out(commandsOut, m); r.status != 0 || r.length != len(m) {
		h.t.Fatalf("message not taken: %+v", r)
	}
}

// ask sends a command and returns the relevant parts of the answer: status, bError,
// the last byte of the header, data.
func (h *host) ask(kind byte, specific string, data []byte) (status, code, last byte, answer []byte) {
	h.t.Helper()
	h.send(kind, specific, data)
	b := h.answer()
	if len(b) == 10 && b[7]>>6 == 2 {
		h.waits++
		b = h.answer()
	}
	if len(b) < 10 || binary.LittleEndian.Uint32(b[1:]) != uint32(len(b)-10) || b[5] != 0 || b[6] != h.message-1 {
		h.t.Fatalf("answer %X to message %d", b, h.message-1)
	}
	return b[7], b[8], b[9], b[10:]
}

// powerOn returns the answer to reset.
func (h *host) powerOn() []byte {
	h.t.Helper()
	status, code, _, atr := h.ask(0x62, "01 0000", nil)
	if status != 0 {
		h.t.Fatalf("IccPowerOn: %02X %02X", status, code)
	}
	return atr
}

// transfer sends a TPDU or block and returns the answer. Without an answer it returns
// nil and bError.
func (h *host) transfer(b []byte) (answer []byte, code byte) {
	h.t.Helper()
	status, code, _, answer := h.ask(0x6F, "00 0000", b)
	if status>>6 == 1 {
		return nil, code
	}
	return answer, 0
}

// expect sends a TPDU or block, in hex, and compares the answer with want.
func (h *host) expect(b, want string) {
	h.t.Helper()
	if got, code := h.transfer(unhex(h.t, b)); !bytes.Equal(got, unhex(h.t, want)) {
		h.t.Fatalf("%s answered by %X (bError %02X), want %s", b, got, code, want)
	}
}

// event waits for the next message of the interrupt endpoint.
func (h *host) event() []byte {
	h.t.Helper()
	_, end := h.in(eventsIn, 8)
	return (<-end).data
}

// unplug unplugs the reader at the host's end.
func (h *host) unplug() {
	h.t.Helper()
	h.conn.Close()
	if err := <-h.done; err != nil {
		h.t.Fatal(err)
	}
}

var pki = sync.OnceValues(func() (*testpki.PKI, error) { return testpki.New(time.Now()) })

// card returns a new card: a card of testpki by name, or of another kind.
func card(t testing.TB, name string) *cardsim.Card {
	t.Helper()
	p, err := pki()
	if err != nil {
		t.Fatal(err)
	}
	original := p.Cards[name]
	if original == nil {
		kinds, err := p.Kinds()
		if err != nil {
			t.Fatal(err)
		}
		original = kinds[name].Card
	}
	c, err := cardsim.New(original.Image())
	if err != nil {
		t.Fatal(err)
	}
	return c
}
