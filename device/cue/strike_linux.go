package cue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	startWithin  = 15 * time.Second // of a guardian, on the slowest board
	answerWithin = 5 * time.Second  // to a command
	startAgain   = time.Second      // after a guardian that could not start
)

// Strike is a door strike or a relay that must never be left on. A process of
// its own holds the line, see the package's doc.
type Strike struct {
	pin    string
	max    time.Duration
	errors chan error // holds the latest
	ended  chan struct{}

	mu       sync.Mutex // one command at a time
	closed   bool
	guardian *guardian // nil: between two
}

// guardian is the process at work, seen from its parent.
type guardian struct {
	cmd      *exec.Cmd
	commands *os.File
	replies  *os.File
	answers  *bufio.Reader
}

// OpenStrike starts a guardian for the line, by the name that Guard's open
// knows, and shuts it. The line is on for max at most at a time.
func OpenStrike(pin string, max time.Duration) (*Strike, error) {
	if max <= 0 {
		return nil, errors.New("cannot open strike: it needs a time to shut after")
	}
	s := &Strike{pin: pin, max: max, errors: make(chan error, 1), ended: make(chan struct{})}
	g, err := s.start()
	if err != nil {
		return nil, fmt.Errorf("cannot open strike: %w", err)
	}
	s.guardian = g
	go s.watch(g)
	return s, nil
}

// Open opens for d, or for what is left of max when it is open already, and
// returns when the line is on. The guardian shuts it by itself.
func (s *Strike) Open(d time.Duration) error {
	if d <= 0 {
		return errors.New("cannot open the door: for no time")
	}
	return s.command(d)
}

// Shut shuts it before its time.
func (s *Strike) Shut() error { return s.command(0) }

// Errors holds the latest reason why a guardian ended and another was started,
// or could not be. It is never closed.
func (s *Strike) Errors() <-chan error { return s.errors }

// Close shuts and ends the guardian.
func (s *Strike) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.guardian != nil {
		s.guardian.commands.Close() // it shuts, and ends
	}
	s.mu.Unlock()
	<-s.ended
	return nil
}

func (s *Strike) command(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.guardian == nil {
		return errors.New("cannot use the door: it has no guardian now")
	}
	if err := s.guardian.tell(d); err != nil {
		return fmt.Errorf("cannot use the door: %w", err)
	}
	return nil
}

// start starts a guardian and waits until it has shut the line.
func (s *Strike) start() (*guardian, error) {
	commandsIn, commandsOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer commandsIn.Close()
	repliesIn, repliesOut, err := os.Pipe()
	if err != nil {
		commandsOut.Close()
		return nil, err
	}
	defer repliesOut.Close()
	// /proc/self/exe is this program even after an update put another in
	// its place. No environment: it may hold secrets.
	g := &guardian{commands: commandsOut, replies: repliesIn, answers: bufio.NewReader(repliesIn), cmd: &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{guardianName, s.pin, s.max.String()},
		Env:        []string{},
		ExtraFiles: []*os.File{commandsIn, repliesOut},
		// A session of its own: what kills a terminal's or a group's
		// processes does not kill this one.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}}
	if err := g.cmd.Start(); err != nil {
		g.close()
		return nil, err
	}
	if err := g.answer(startWithin); err != nil {
		g.kill()
		_ = g.cmd.Wait()
		g.close()
		return nil, err
	}
	return g, nil
}

// watch starts another guardian when one ends that should not: the new one
// begins by shutting what the old one left open.
func (s *Strike) watch(g *guardian) {
	defer close(s.ended)
	for {
		err := g.cmd.Wait()
		s.mu.Lock()
		g.close()
		s.guardian = nil
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		s.report(fmt.Errorf("the guardian of the door ended (%w): another is started", errors.Join(err, errors.New(g.cmd.ProcessState.String()))))
		for {
			s.mu.Lock()
			if s.closed {
				s.mu.Unlock()
				return
			}
			next, err := s.start()
			s.guardian = next
			s.mu.Unlock()
			if err == nil {
				g = next
				break
			}
			s.report(fmt.Errorf("the door has no guardian: %w", err))
			time.Sleep(startAgain)
		}
	}
}

func (s *Strike) report(err error) {
	select {
	case <-s.errors:
	default:
	}
	s.errors <- err
}

// tell sends a command. A guardian that does not answer is killed: the kernel
// gives its line back, and the next one shuts it.
func (g *guardian) tell(d time.Duration) error {
	if _, err := g.commands.Write(binary.BigEndian.AppendUint64(nil, uint64(d))); err != nil {
		return err
	}
	return g.answer(answerWithin)
}

func (g *guardian) answer(within time.Duration) error {
	if err := g.replies.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	err := readReply(g.answers)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		g.kill()
	}
	return err
}

func (g *guardian) kill() { _ = g.cmd.Process.Kill() }

func (g *guardian) close() {
	g.commands.Close()
	g.replies.Close()
}
