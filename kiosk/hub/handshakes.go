package hub

import (
	"context"
	"net"
	"runtime"
	"sync"
)

// handshakes lets few TLS handshakes compute at the same time, so that a client that opens
// many connections does not keep all processors from requests on connections that are open
// already. A handshake computes from the ClientHello until the hub's first message. It
// does not wait for the client meanwhile, so a slow client does not hold up others.
type handshakes chan struct{}

func newHandshakes() handshakes { return make(handshakes, max(1, runtime.GOMAXPROCS(0)/2)) }

// begin waits until conn's handshake may compute, or ctx ends. It ends with conn's first
// Write, or Close.
func (h handshakes) begin(ctx context.Context, conn net.Conn) error {
	select {
	case h <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c, ok := conn.(*handshakeConn); ok {
		c.computes(func() { <-h })
	} else {
		<-h // not accepted by a handshakeListener
	}
	return nil
}

// handshakeListener accepts connections that handshakes can follow. It closes those that
// unwanted reports, which costs much less than to begin with their handshakes.
type handshakeListener struct {
	net.Listener
	unwanted func(net.Conn) bool
}

func (l handshakeListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.unwanted(conn) {
			return &handshakeConn{Conn: conn}, nil
		}
		_ = conn.Close()
	}
}

type handshakeConn struct {
	net.Conn

	mu     sync.Mutex
	end    func() // nil unless the handshake computes
	closed bool
}

func (c *handshakeConn) computes(end func()) {
	c.mu.Lock()
	if !c.closed {
		c.end, end = end, nil
	}
	c.mu.Unlock()
	if end != nil {
		end()
	}
}

func (c *handshakeConn) ended(closed bool) {
	c.mu.Lock()
	end := c.end
	c.end, c.closed = nil, c.closed || closed
	c.mu.Unlock()
	if end != nil {
		end()
	}
}

func (c *handshakeConn) Write(b []byte) (int, error) {
	c.ended(false)
	return c.Conn.Write(b)
}

func (c *handshakeConn) Close() error {
	c.ended(true)
	return c.Conn.Close()
}
