//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns both ends of a pseudo-terminal: one for the person and one for the
// program.
func terminal(t testing.TB) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// TestAskAtATerminal checks that the question is shown and the answer is not, and that
// the terminal echoes again afterwards, also when the question was interrupted.
func TestAskAtATerminal(t *testing.T) {
	person, tty := terminal(t)
	p := program{stdin: tty, stderr: tty}
	type answer struct {
		pin []byte
		err error
	}
	asked := make(chan answer, 1)
	go func() {
		pin, err := p.ask(t.Context(), "PIN now")
		asked <- answer{pin, err}
	}()
	shown := bufio.NewReader(person)
	question, err := shown.ReadString(':')
	if err != nil || question != "PIN now:" || echoes(t, tty) {
		t.Errorf("shown %q, %v; echo %v", question, err, echoes(t, tty))
	}
	if _, err := person.WriteString("1234\n"); err != nil {
		t.Fatal(err)
	}
	if a := <-asked; a.err != nil || string(a.pin) != "1234" {
		t.Errorf("%q, %v", a.pin, a.err)
	}
	if rest, err := shown.ReadString('\n'); err != nil || strings.Contains(rest, "1234") || !echoes(t, tty) {
		t.Errorf("shown %q, %v; echo %v", rest, err, echoes(t, tty))
	}

	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		pin, err := p.ask(ctx, "PIN now")
		asked <- answer{pin, err}
	}()
	if _, err := shown.ReadString(':'); err != nil {
		t.Fatal(err)
	}
	interrupt()
	if a := <-asked; !errors.Is(a.err, context.Canceled) || !echoes(t, tty) {
		t.Errorf("interrupted: %v; echo %v", a.err, echoes(t, tty))
	}
}
