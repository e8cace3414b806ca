package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// shellUnit is a unit that the trial adds by the kernel's command line (systemd-debug-generator(8),
// systemd.extra-unit). The image itself has no shell that one could reach. A line from the
// serial port is a command, which ends by a line with its status.
const shellUnit = `[Unit]
DefaultDependencies=no
After=dev-hvc0.device
[Service]
ExecStart=/bin/sh -c 'stty raw -echo; while read -r line; do eval "$line" </dev/null 2>&1; printf "\\n` + statusMark + `%%d\\n" $?; done'
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/hvc0
Restart=always
`

const statusMark = "=status="

// shell is a shell of root in the machine.
type shell struct {
	conn  net.Conn
	lines *bufio.Reader
}

func newShell(c net.Conn) *shell { return &shell{conn: c, lines: bufio.NewReader(c)} }

// run runs a command of one line and returns what it prints. It fails when the command does.
func (s *shell) run(command string) (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(s.conn, command); err != nil {
		return "", fmt.Errorf("cannot reach the machine's shell: %w", err)
	}
	var out strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return out.String(), fmt.Errorf("%s: the machine does not answer: %w", command, err)
		}
		if status, ok := strings.CutPrefix(strings.TrimSpace(line), statusMark); ok {
			printed := strings.TrimRight(out.String(), "\n")
			if n, err := strconv.Atoi(status); err != nil || n != 0 {
				return printed, fmt.Errorf("%s: exit status %s:\n%s", command, status, printed)
			}
			return printed, nil
		}
		out.WriteString(strings.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
}
