package hub

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// sources limit the handshakes of a source address that do not lead to an accepted client
// within its limits. A handshake is the most expensive thing that a client can ask for, and
// only its end shows who the client is. So the hub refuses handshakes of an address that
// has wasted many, before it computes anything for them. Any number of honest clients may
// have one address.
//
// The zero value is ready for use.
type sources struct {
	mu     sync.Mutex
	wasted map[netip.Prefix]*bucket // begun handshakes without those that succeeded
	swept  time.Time
}

// begin counts a handshake of an address as wasted, until it succeeds. It reports whether
// the handshake may go on.
func (s *sources) begin(addr net.Addr) bool {
	from, ok := sourceOf(addr)
	if !ok {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.swept) > wastedBurst/wastedRate*time.Second { // by then each bucket may be full again
		for other, b := range s.wasted {
			if b.left(now, wastedRate, wastedBurst) == wastedBurst {
				delete(s.wasted, other)
			}
		}
		s.swept = now
	}
	b := s.wasted[from]
	if b == nil {
		if s.wasted == nil {
			s.wasted = map[netip.Prefix]*bucket{}
		}
		b = &bucket{}
		s.wasted[from] = b
	}
	return b.take(now, wastedRate, wastedBurst)
}

// exhausted reports whether begin would refuse a handshake of an address.
func (s *sources) exhausted(addr net.Addr) bool {
	from, ok := sourceOf(addr)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.wasted[from]
	return b != nil && b.left(time.Now(), wastedRate, wastedBurst) < 1
}

// succeeded says that a handshake has led to an accepted client.
func (s *sources) succeeded(addr net.Addr) {
	from, ok := sourceOf(addr)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.wasted[from]; b != nil {
		b.putBack()
	}
}

// sourceOf returns the address that the limits apply to: an IPv4 address, or the /64 network
// of an IPv6 address, because one machine may use all addresses of that. It is not ok for an
// address that is not of TCP.
func sourceOf(addr net.Addr) (from netip.Prefix, ok bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	from, err := ip.Prefix(bits)
	return from, err == nil
}
