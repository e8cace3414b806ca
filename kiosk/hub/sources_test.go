package hub

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An address may waste a burst of handshakes, and then few a second. Handshakes that
// succeed are free, and other addresses are not affected.
func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sources
		addr := func(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
		hostile, honest := addr("192.0.2.1:1"), addr("192.0.2.2:1")
		for i := range 10 * wastedBurst {
			if !s.begin(honest) {
				t.Fatalf("handshake %d is refused, although all before it succeeded", i)
			}
			s.succeeded(honest)
		}
		waste := func(from net.Addr, want int) {
			t.Helper()
			n := 0
			for n <= want && !s.exhausted(from) && s.begin(from) {
				n++
			}
			if n != want || !s.exhausted(from) || s.begin(from) {
				t.Errorf("%d handshakes were begun, want %d", n, want)
			}
		}
		waste(hostile, wastedBurst)
		waste(addr("192.0.2.1:2"), 0) // another port
		waste(addr("[::ffff:192.0.2.1]:1"), 0)
		if !s.begin(honest) {
			t.Error("another address is refused")
		}
		time.Sleep(time.Second)
		waste(hostile, wastedRate)

		waste(addr("[2001:db8::1]:1"), wastedBurst)
		waste(addr("[2001:db8::2:1]:1"), 0) // of the same machine, perhaps
		waste(addr("[2001:db8:0:1::1]:1"), wastedBurst)

		time.Sleep(time.Minute)
		s.begin(honest)
		if len(s.wasted) != 1 {
			t.Errorf("%d addresses are kept", len(s.wasted))
		}
		if !s.begin(&net.UnixAddr{}) {
			t.Error("an address without IP is refused")
		}
	})
}

// The hub closes connections of an address that has wasted its handshakes at once, and goes
// on to serve others.
func TestWastedHandshakes(t *testing.T) {
	b := newBed(t)
	var log syncBuffer
	url, _ := b.serveLimited(&log)
	k1 := b.kiosk(url, "k1")
	from := func(ip net.IP) *net.Dialer { return &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}} }
	stranger := &tls.Config{InsecureSkipVerify: true} // no certificate
	refused := 0
	for range int(wastedBurst + 5*wastedRate) {
		conn, err := tls.DialWithDialer(from(hostileAddress), "tcp", strings.TrimPrefix(url, "https://"), stranger)
		if err != nil {
			refused++ // before the handshake
			continue
		}
		_, _ = io.Copy(io.Discard, conn) // until the hub closes it
		_ = conn.Close()
	}
	if refused == 0 || !strings.Contains(log.String(), tooManyWasted) || !strings.Contains(log.String(), hostileAddress.String()) {
		t.Errorf("%d connections were refused before their handshake; the log:\n%s", refused, log.String())
	}
	if _, err := k1.Challenge(t.Context()); err != nil {
		t.Errorf("another address is refused: %v", err)
	}
}
