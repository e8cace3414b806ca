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
	startWithin  = 15 * time.Second // the longest start of a guardian, on the slowest board
	answerWithin = 5 * time.Second  // the longest wait for the answer to a command
	startAgain   = time.Second      // the pause after a guardian could not start
)

// Strike is a door strike or a relay that must never be left on. A separate
// process holds the line; see the package's documentation.
type Strike struct {
	pin    string
	max    time.Duration
	errors chan error // holds the latest
	ended  chan struct{}

	mu       sync.Mutex // one command at a time
	closed   bool
	guardian *guardian // nil after one has ended and before the next has started
	unshut   error     // why the line may have been left open at the end; read after ended
}

// guardian is the guardian's process, as its parent sees it.
type guardian struct {
	cmd      *exec.Cmd
	commands *os.File
	replies  *os.File
	answers  *bufio.Reader
}

// OpenStrike starts a guardian for the line and shuts the line. pin is a name
// that the open function of Guard knows. The line stays on for at most max at a
// time.
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

// Open opens the strike for d and returns when the line is on. If the strike is
// already open and d is more than the rest of max, the strike shuts for a moment first.
// The guardian shuts it.
func (s *Strike) Open(d time.Duration) error {
	if d <= 0 {
		return errors.New("cannot open the door: for no time")
	}
	return s.command(d)
}

// Shut shuts the strike before its time has passed.
func (s *Strike) Shut() error { return s.command(0) }

// Errors holds the latest reason why a guardian ended and was replaced, or why no
// guardian could start. It is never closed.
func (s *Strike) Errors() <-chan error { return s.errors }

// Close shuts the strike and ends the guardian. It kills a guardian that does not
// end by itself and starts another, which shuts the line. An error says that the
// line may still be open.
func (s *Strike) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.guardian != nil {
		defer s.guardian.dismiss().Stop()
	}
	s.mu.Unlock()
	<-s.ended
	return s.unshut
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

// start starts a guardian and waits until the guardian has shut the line.
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
	// /proc/self/exe is this program even after an update has replaced its file.
	// The guardian gets no environment, because the environment may hold secrets.
	g := &guardian{commands: commandsOut, replies: repliesIn, answers: bufio.NewReader(repliesIn), cmd: &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{guardianName, s.pin, s.max.String()},
		Env:        []string{},
		ExtraFiles: []*os.File{commandsIn, repliesOut},
		// In its own session the guardian survives when a terminal's or a group's
		// processes are killed.
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

// watch starts another guardian when one ends before Close. The new one first
// shuts the line, which the old one may have left open.
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
			if err != nil {
				s.unshut = s.shutOnce()
			}
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

// shutOnce starts a guardian only to shut the line.
func (s *Strike) shutOnce() error {
	g, err := s.start()
	if err != nil {
		return fmt.Errorf("cannot shut the door: %w", err)
	}
	defer g.close()
	defer g.dismiss().Stop()
	if err := g.cmd.Wait(); err != nil {
		return fmt.Errorf("cannot shut the door: its guardian ended (%w)", err)
	}
	return nil
}

func (s *Strike) report(err error) {
	select {
	case <-s.errors:
	default:
	}
	s.errors <- err
}

// tell sends a command and waits for the answer. It kills a guardian that does
// not answer: then the kernel gets the line back, and the next guardian shuts it.
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

// dismiss tells a guardian to shut the line and end, and kills it if it does not.
// The caller waits for its end and then stops the timer.
func (g *guardian) dismiss() *time.Timer {
	g.commands.Close()
	return time.AfterFunc(answerWithin, g.kill)
}

func (g *guardian) kill() { _ = g.cmd.Process.Kill() }

func (g *guardian) close() {
	g.commands.Close()
	g.replies.Close()
}
