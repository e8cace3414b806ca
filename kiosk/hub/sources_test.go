package hub

import (
	"net"
	"net/netip"
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
			for n <= want && s.begin(from) {
				n++
			}
			if n != want {
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
