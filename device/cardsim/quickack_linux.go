package cardsim

import (
	"net"
	"syscall"
)

// acknowledgeAtOnce makes the kernel acknowledge the next segment without delay.
// The option is not permanent (tcp(7), TCP_QUICKACK).
func acknowledgeAtOnce(c net.Conn) error {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
