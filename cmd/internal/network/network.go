// Package network looks at the network interfaces of this machine.
package network

import (
	"net"
	"net/netip"
)

// Interface is a network interface other than loopback.
type Interface struct {
	Name      string
	Up, Link  bool         // switched on; a cable is plugged in, or the Wi-Fi is joined
	Addresses []netip.Addr // without link-local ones
}

// Interfaces returns this machine's interfaces.
func Interfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []Interface
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		n := Interface{Name: i.Name, Up: i.Flags&net.FlagUp != 0, Link: i.Flags&net.FlagRunning != 0}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
				n.Addresses = append(n.Addresses, prefix.Addr())
			}
		}
		found = append(found, n)
	}
	return found, nil
}
