package demo

import (
	"net"
	"sync"
)

// gate is a listener that can be shut, as if the network had failed. It then closes
// its connections, and new ones as soon as they arrive.
type gate struct {
	net.Listener

	mu    sync.Mutex
	shut  bool
	conns map[*gatedConn]struct{}
}

func newGate(l net.Listener) *gate {
	return &gate{Listener: l, conns: map[*gatedConn]struct{}{}}
}

// Accept waits for a connection while the gate is open.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := g.admit(c); conn != nil {
			return conn, nil
		}
		_ = c.Close()
	}
}

func (g *gate) admit(c net.Conn) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return nil
	}
	conn := &gatedConn{Conn: c, gate: g}
	g.conns[conn] = struct{}{}
	return conn
}

func (g *gate) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.shut
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = !open
	if g.shut {
		for c := range g.conns {
			_ = c.Conn.Close()
		}
		clear(g.conns)
	}
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
