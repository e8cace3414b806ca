package cue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// guardianName is the name (argument 0) by which a program knows that it is a
// guardian. ps shows it, followed by the pin.
const guardianName = "strike-guardian"

// The file descriptors of the guardian's ends of its pipes. A command is 8 bytes:
// a signed, big-endian number of nanoseconds. A reply is a line: empty for
// success, otherwise the error.
const (
	commandsFD = 3
	repliesFD  = 4
)

// Guard makes this process a guardian if OpenStrike started it as one, and then
// never returns. It must be the first thing that main does, in every program
// that calls OpenStrike:
//
//	func main() {
//		cue.Guard(openPin)
//		…
//
// open finds a line by name. It may have to call host.Init first.
func Guard(open func(pin string) (Output, error)) {
	if os.Args[0] != guardianName {
		return
	}
	if err := beGuardian(open); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func beGuardian(open func(pin string) (Output, error)) error {
	commands, replies := os.NewFile(commandsFD, "commands"), os.NewFile(repliesFD, "replies")
	reply := func(err error) {
		text := ""
		if err != nil {
			text = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		// If the parent is dead, the write fails; then reading commands fails
		// too, and that ends the guardian.
		_, _ = io.WriteString(replies, text+"\n")
	}
	if len(os.Args) != 3 || commands == nil || replies == nil {
		return errors.New("cannot guard: not started by OpenStrike")
	}
	limit, err := time.ParseDuration(os.Args[2])
	if err != nil {
		return err
	}

	// The signals that end a service or a session end the guardian too, after it
	// has shut the line. systemd sends SIGABRT when the kiosk misses its watchdog.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT)
	stop := make(chan struct{})
	go func() {
		<-signals
		close(stop)
	}()

	pin, err := open(os.Args[1])
	if err != nil {
		reply(err)
		return err
	}
	wanted := make(chan time.Duration)
	go func() {
		defer close(wanted)
		for {
			var command [8]byte
			if _, err := io.ReadFull(commands, command[:]); err != nil {
				return
			}
			wanted <- time.Duration(binary.BigEndian.Uint64(command[:]))
		}
	}()
	return guard(wanted, reply, stop, pin.Set, limit)
}

// readReply reads one reply.
func readReply(r *bufio.Reader) error {
	text, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer of its guardian: %w", err)
	}
	if text = strings.TrimSuffix(text, "\n"); text != "" {
		return errors.New(text)
	}
	return nil
}
