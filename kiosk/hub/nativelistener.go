package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	"smartkiosk/kiosk/protocol/hubapi"
)

// nativeListener lets consumers connect to the embedded JetStream with a NATS client, over
// mutual TLS. Each consumer has an account of its own in the server. Through it the consumer
// reaches the services of its own durable consumer and nothing else: a permission for
// subjects would not be enough, because JetStream delivers a message to whatever subject a
// request names as its reply.
//
// It implements access and server.Authentication.
type nativeListener struct {
	address string
	tls     *tls.Config
	check   func(context.Context, hubapi.Identity, *x509.Certificate) error

	mu      sync.Mutex
	ready   bool                // whether check can be called
	server  *server.Server      // that accepts the connections
	imports map[string]struct{} // accounts that have their services
	clients map[uint64]owner    // by the server's number of the connection
}

// nativeConnections bounds the server's connections, with those of commands.
const nativeConnections = 1000

func newNativeListener(address string, tls *tls.Config, check func(context.Context, hubapi.Identity, *x509.Certificate) error) *nativeListener {
	return &nativeListener{address: address, tls: tls, check: check}
}

// configure implements access.
func (l *nativeListener) configure(o *server.Options) error {
	host, port, err := net.SplitHostPort(l.address)
	if err != nil {
		return err
	}
	if o.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	o.Host = host
	if host == "" {
		o.Host = server.DEFAULT_HOST // all addresses
	}
	o.TLS, o.TLSVerify, o.TLSConfig = true, true, l.tls
	o.MaxConn = nativeConnections
	o.CustomClientAuthentication = l
	return nil
}

// use implements access.
func (l *nativeListener) use(srv *server.Server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server, l.imports, l.clients = srv, map[string]struct{}{}, map[uint64]owner{}
}

// open begins to accept consumers. Before, the hub cannot check their certificates.
func (l *nativeListener) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
}

// Check implements server.Authentication. The hub itself and the commands connect inside of
// this process, and may do everything.
func (l *nativeListener) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil {
		address := c.RemoteAddress()
		return address != nil && address.Network() == "pipe" // net.Pipe
	}
	l.mu.Lock()
	ready := l.ready
	l.mu.Unlock()
	if !ready || len(state.PeerCertificates) == 0 {
		return false
	}
	cert := state.PeerCertificates[0]
	id, err := hubapi.IdentityOf(cert)
	if err != nil || id.Role != hubapi.RoleConsumer || l.check(context.Background(), id, cert) != nil {
		return false
	}
	account, err := l.account(id.Name)
	if err != nil {
		return false
	}
	l.note(c.GetID(), owner{id, fingerprint(cert.Raw)})
	c.RegisterUser(&server.User{
		Username: id.String(), Account: account, ConnectionDeadline: cert.NotAfter,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: nativeSubjects(id.Name)},
			Subscribe: &server.SubjectPermission{Allow: []string{nativeInboxes}},
		},
	})
	return true
}

// account returns a consumer's account, and gives it the consumer's services.
func (l *nativeListener) account(consumer string) (*server.Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return nil, errRestarting
	}
	account, _ := l.server.LookupOrRegisterAccount(nativeName(consumer))
	if _, done := l.imports[consumer]; done {
		return account, nil
	}
	events := l.server.GlobalAccount()
	for _, s := range nativeServices(consumer) {
		answers := server.Singleton
		if s.streamed {
			answers = server.Streamed
		}
		err := events.AddServiceExportWithResponse(s.subject, answers, []*server.Account{account})
		if err == nil {
			err = account.AddServiceImport(events, s.local, s.subject)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot give consumer %s its rights: %w", consumer, err)
		}
	}
	l.imports[consumer] = struct{}{}
	return account, nil
}

// note remembers whose a connection is, and forgets those that have ended.
func (l *nativeListener) note(number uint64, of owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other := range l.clients {
		if l.server.GetClient(other) == nil {
			delete(l.clients, other)
		}
	}
	l.clients[number] = of
}

// closeUnless closes those connections of an identity whose certificate is not accepted.
func (l *nativeListener) closeUnless(id hubapi.Identity, accepted func(fingerprint string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for number, of := range l.clients {
		if of.Identity == id && !accepted(of.fingerprint) {
			_ = l.server.DisconnectClientByID(number) // an error says that it has ended
		}
	}
}
