//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxSecret is the size of the buffer for a PIN in bytes. Longer lines are refused.
const maxSecret = 64

// ask returns a line from standard input. The caller must wipe it. At a terminal, ask
// prints what it asks for and hides what is typed.
func (p program) ask(ctx context.Context, what string) ([]byte, error) {
	if f, ok := p.stdin.(*os.File); ok {
		if old, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			quiet := *old
			quiet.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETSF, &quiet); err != nil {
				return nil, fmt.Errorf("cannot ask for a PIN: %w", err)
			}
			fmt.Fprintf(p.stderr, "%s: ", what)
			defer func() {
				_ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETSF, old)
				fmt.Fprintln(p.stderr)
			}()
		}
	}
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := readSecret(p.stdin)
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		if a.err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", what, a.err)
		}
		return a.line, nil
	case <-ctx.Done(): // return, so that the deferred function switches the echo on again
		return nil, fmt.Errorf("cannot read %s: %w", what, ctx.Err())
	}
}

// readPIN returns the first line of a file, or of standard input if path is "-". The
// caller must wipe it.
func (p program) readPIN(ctx context.Context, path string) ([]byte, error) {
	if path == "-" {
		return p.ask(ctx, "PIN")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read PIN: %w", err)
	}
	defer f.Close()
	pin, err := readSecret(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read PIN from %s: %w", path, err)
	}
	return pin, nil
}

// readSecret returns a line, which the caller must wipe. It leaves no other copy in
// memory, and it reads nothing after the line, because that may be for another reader.
func readSecret(from io.Reader) ([]byte, error) {
	b := make([]byte, maxSecret)
	n := 0
	for n < len(b) {
		_, err := io.ReadFull(from, b[n:n+1])
		if errors.Is(err, io.EOF) || err == nil && b[n] == '\n' {
			break
		}
		if err != nil {
			clear(b)
			return nil, err
		}
		n++
	}
	if n > 0 && b[n-1] == '\r' {
		n--
	}
	if n == 0 || n == len(b) {
		clear(b)
		return nil, errors.New("the line has no PIN")
	}
	return b[:n:n], nil
}
