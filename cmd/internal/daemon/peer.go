package daemon

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// peerListener accepts connections from certain users of this machine only. Every user
// who is logged in can reach a loopback address, so the address alone protects nothing.
type peerListener struct {
	net.Listener
	users []int // user ids that may connect
	log   *slog.Logger
}

// forUsers limits l to root, the user of this process, and the named users.
func forUsers(l net.Listener, log *slog.Logger, names ...string) (net.Listener, error) {
	users := []int{0, os.Geteuid()}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("cannot find user %q: %w", name, err)
		}
		id, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("cannot use user %q: its id is %s", name, u.Uid)
		}
		users = append(users, id)
	}
	return &peerListener{l, users, log}, nil
}

// guardListener is like forUsers, but closes l when it fails.
func guardListener(l net.Listener, log *slog.Logger, names ...string) (net.Listener, error) {
	guarded, err := forUsers(l, log, names...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return guarded, nil
}

// Accept returns the next connection of a user who may connect. It closes the
// others.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		id, err := peerUser(c)
		if err == nil && slices.Contains(l.users, id) {
			return c, nil
		}
		if err == nil {
			err = fmt.Errorf("user %d may not connect", id)
		}
		l.log.Warn("connection refused", "address", l.Addr().String(), "err", err)
		_ = c.Close()
	}
}

// peerUser returns the id of the user whose process has the other end of a
// connection from this machine.
func peerUser(c net.Conn) (int, error) {
	switch c := c.(type) {
	case *net.UnixConn:
		raw, err := c.SyscallConn()
		if err != nil {
			return 0, err
		}
		var credentials *unix.Ucred
		var failed error
		err = raw.Control(func(fd uintptr) {
			credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		})
		if err := errors.Join(err, failed); err != nil {
			return 0, fmt.Errorf("cannot tell who connects: %w", err)
		}
		return int(credentials.Uid), nil
	case *net.TCPConn:
		return tcpUser(c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort())
	}
	return 0, fmt.Errorf("cannot tell who connects by %T", c)
}

// tcpUser finds in the kernel's tables (proc_net_tcp(5)) the user of the socket
// that is bound to from and connected to to.
func tcpUser(from, to netip.AddrPort) (int, error) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // IPv6 is switched off
		}
		if err != nil {
			return 0, fmt.Errorf("cannot tell who connects: %w", err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid …
			words := strings.Fields(lines.Text())
			if len(words) > 7 && words[1] == kernelAddress(from, table) && words[2] == kernelAddress(to, table) {
				return strconv.Atoi(words[7])
			}
		}
	}
	return 0, fmt.Errorf("cannot tell who connects from %s", from)
}

// kernelAddress writes an address as the kernel's tables do: the words of the
// address in the machine's byte order, and the port.
func kernelAddress(a netip.AddrPort, table string) string {
	ip := a.Addr().Unmap().AsSlice()
	if strings.HasSuffix(table, "6") {
		full := a.Addr().As16()
		ip = full[:]
	}
	var b strings.Builder
	for word := range slices.Chunk(ip, 4) {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(word))
	}
	fmt.Fprintf(&b, ":%04X", a.Port())
	return b.String()
}
