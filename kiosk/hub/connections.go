package hub

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"

	"smartkiosk/kiosk/protocol/hubapi"
)

// connections are the open connections of a server, by the identity of the client. They
// are known from their handshake on, so that the hub can bound how many an identity has,
// and can close those of an identity that was removed.
type connections struct {
	handshakes handshakes
	sources    sources
	limiter    *limiter
	abuse      *abuseLog
	refused    func(tls.ConnectionState) error // why a client may not connect, or nil

	enrolling func() bool // whether clients may connect without a certificate; it may ask the store

	mu      sync.Mutex
	pending *list.List                     // of net.Conn: those before the end of their handshake, the oldest first
	places  map[net.Conn]*list.Element     // in pending
	open    map[hubapi.Identity]*list.List // of net.Conn, the oldest first
	owners  map[net.Conn]owner             // of those in open
	silent  map[net.Conn]struct{}          // that have not carried a request yet
	closing bool
}

// owner is the client of a connection.
type owner struct {
	hubapi.Identity
	fingerprint string // of its certificate
}

func newConnections(l *limiter, a *abuseLog, refused func(tls.ConnectionState) error, enrolling func() bool) *connections {
	return &connections{
		handshakes: newHandshakes(), limiter: l, abuse: a, refused: refused, enrolling: enrolling, pending: list.New(), places: map[net.Conn]*list.Element{},
		open: map[hubapi.Identity]*list.List{}, owners: map[net.Conn]owner{}, silent: map[net.Conn]struct{}{},
	}
}

// unwanted reports whether a connection comes from an address that has wasted too many
// handshakes.
func (c *connections) unwanted(conn net.Conn) bool {
	if !c.sources.exhausted(conn.RemoteAddr()) {
		return false
	}
	c.noteWasted(conn)
	return true
}

func (c *connections) noteWasted(conn net.Conn) {
	c.abuse.note(tooManyWasted, hubapi.Identity{}, conn.RemoteAddr().String())
}

// forClient is GetConfigForClient of a server's TLS configuration: it learns the identity
// of each connection at the end of its handshake.
func (c *connections) forClient(config func() *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		conn := hello.Conn
		if !c.sources.begin(conn.RemoteAddr()) { // connections that were accepted before
			c.noteWasted(conn)
			return nil, errors.New(tooManyWasted)
		}
		if err := c.handshakes.begin(hello.Context(), conn); err != nil {
			return nil, err
		}
		own := config()
		own.ClientAuth = tls.VerifyClientCertIfGiven // verify refuses clients without one
		own.VerifyConnection = func(state tls.ConnectionState) error {
			err := c.verify(conn, state)
			if err == nil {
				c.sources.succeeded(conn.RemoteAddr())
			}
			return err
		}
		return own, nil
	}
}

// verify says why a client may not connect. state is that at the end of its handshake.
func (c *connections) verify(conn net.Conn, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return c.addAnonymous(conn)
	}
	cert := state.PeerCertificates[0]
	id, _ := hubapi.IdentityOf(cert)
	if !c.limiter.handshake(id) {
		c.abuse.note(tooManyHandshakes, id, "")
		return errors.New(tooManyHandshakes)
	}
	c.add(owner{id, fingerprint(cert.Raw)}, conn)
	// The check comes after add. Otherwise a removal between the two would not
	// close the connection.
	return c.refused(state)
}

// addAnonymous notes the end of a handshake of a client without a certificate, which may
// enrol and do nothing else. All such clients together have the limits of one identity.
func (c *connections) addAnonymous(conn net.Conn) error {
	var anyone hubapi.Identity
	if !c.limiter.handshake(anyone) {
		c.abuse.note(tooManyHandshakes, anyone, "")
		return errors.New(tooManyHandshakes)
	}
	if !c.enrolling() {
		return errors.New("there is no client certificate")
	}
	c.add(owner{}, conn)
	return nil
}

// add notes the end of a handshake. If the identity has too many connections, the oldest
// one is closed, so that a copied identity cannot lock the right client out.
func (c *connections) add(o owner, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handshakeEnded(conn)
	all := c.open[o.Identity]
	if all == nil {
		all = list.New()
		c.open[o.Identity] = all
	}
	all.PushBack(conn)
	c.owners[conn] = o
	if all.Len() > maxConnections {
		oldest := all.Remove(all.Front()).(net.Conn)
		delete(c.owners, oldest)
		_ = oldest.Close()
	}
}

// handshakeEnded drops a connection from pending. The caller holds mu.
func (c *connections) handshakeEnded(conn net.Conn) {
	if place := c.places[conn]; place != nil {
		c.pending.Remove(place)
		delete(c.places, conn)
	}
}

// note is the ConnState hook of an http.Server.
func (c *connections) note(tlsConn net.Conn, state http.ConnState) {
	conn := tlsConn
	if t, ok := tlsConn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.closing {
			_ = conn.Close()
			return
		}
		c.silent[conn] = struct{}{}
		c.places[conn] = c.pending.PushBack(conn)
		if c.pending.Len() > maxPending {
			oldest := c.pending.Remove(c.pending.Front()).(net.Conn)
			delete(c.places, oldest)
			_ = oldest.Close()
			c.abuse.note(tooManyPending, hubapi.Identity{}, "")
		}
	case http.StateActive:
		delete(c.silent, conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.silent, conn)
		c.handshakeEnded(conn)
		o, ok := c.owners[conn]
		if !ok {
			return
		}
		delete(c.owners, conn)
		all := c.open[o.Identity]
		for e := all.Front(); e != nil; e = e.Next() {
			if e.Value == conn {
				all.Remove(e)
				break
			}
		}
		if all.Len() == 0 {
			delete(c.open, o.Identity)
		}
	}
}

// closeUnless closes those connections of an identity whose certificate is not accepted.
func (c *connections) closeUnless(id hubapi.Identity, accepted func(fingerprint string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.open[id]
	if all == nil {
		return
	}
	for e := all.Front(); e != nil; e = e.Next() {
		conn := e.Value.(net.Conn)
		if !accepted(c.owners[conn].fingerprint) {
			_ = conn.Close() // note removes it from the list
		}
	}
}

// closeSilent closes the connections that have not carried a request, now and from now
// on. Shutdown would wait five seconds for a request on each, but a client that gave up
// while it was dialling never sends one.
func (c *connections) closeSilent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn := range c.silent {
		_ = conn.Close()
	}
}

// errorLog is the writer of an http.Server's ErrorLog. A client causes most of its lines.
type errorLog struct{ abuse *abuseLog }

func (l errorLog) Write(line []byte) (int, error) {
	l.abuse.note(failedConnection, hubapi.Identity{}, strings.TrimSpace(string(line)))
	return len(line), nil
}
