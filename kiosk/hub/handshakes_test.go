package hub

import (
	"context"
	"net"
	"testing"
)

// A place is free again when the hub has written, when the connection is closed, and when
// it was closed before; whoever waits can give up.
func TestHandshakes(t *testing.T) {
	h := make(handshakes, 1)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, end := range map[string]func(c *handshakeConn){
		"written": func(c *handshakeConn) { _, _ = c.Write([]byte{1}); _, _ = c.Write([]byte{1}) },
		"closed":  func(c *handshakeConn) { _ = c.Close() },
		"both":    func(c *handshakeConn) { _, _ = c.Write([]byte{1}); _ = c.Close() },
	} {
		a, b := net.Pipe()
		_ = b.Close() // a write fails at once
		c := &handshakeConn{Conn: a}
		if err := h.begin(t.Context(), c); err != nil || len(h) != 1 {
			t.Fatalf("%s: %v, %d places taken", name, err, len(h))
		}
		if err := h.begin(over, c); err == nil {
			t.Errorf("%s: a second handshake began", name)
		}
		if end(c); len(h) != 0 {
			t.Errorf("%s: the place is not free", name)
		}
	}
	a, _ := net.Pipe()
	c := &handshakeConn{Conn: a}
	_ = c.Close()
	if err := h.begin(t.Context(), c); err != nil || len(h) != 0 {
		t.Errorf("a connection that was closed keeps a place: %v", err)
	}
}
