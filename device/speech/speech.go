// Package speech speaks texts with a speech engine, one process for each text. The
// engine is espeak-ng, or any other program that reads a text from standard input,
// plays it, and ends when it gets SIGTERM.
//
// The text travels by standard input, because other users of the machine can read a
// process's arguments.
package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// EspeakNG is the command of espeak-ng 1.51, at 150 words a minute.
var EspeakNG = []string{"espeak-ng", "-v", "{voice}", "-a", "{volume}", "-s", "150", "--stdin"}

// Volumes in percent of the engine's normal one. espeak-ng takes 0 to 200 (-a).
const (
	Quiet  = 40
	Normal = 100
	Loud   = 200
)

// Utterance is a text to speak.
type Utterance struct {
	Voice  string // in the engine's words, for espeak-ng nb or en-gb
	Volume int    // in percent
	Text   string // "" is silence
}

// stopAfter is how long an engine may play on after SIGTERM before it is killed.
const stopAfter = time.Second

// Speaker speaks one text at a time.
type Speaker struct {
	command []string
	texts   chan Utterance // holds the latest
	results chan error     // holds the latest
	stop    context.CancelFunc
	done    chan struct{}
}

// Open returns a speaker. In command, {voice} and {volume} stand for those of the text.
// It returns an error if the program is not installed.
func Open(command []string) (*Speaker, error) {
	if len(command) == 0 {
		return nil, errors.New("cannot open speech: the engine's command is empty")
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil, fmt.Errorf("cannot open speech: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Speaker{command: command, texts: make(chan Utterance, 1), results: make(chan error, 1), stop: stop, done: make(chan struct{})}
	go s.run(ctx)
	return s, nil
}

// Say speaks a text in place of the one that is being spoken. It returns without
// waiting. It must not be called by two goroutines at the same time.
func (s *Speaker) Say(u Utterance) { replace(s.texts, u) }

// Results holds the latest result: nil after a text was spoken to its end, or why it
// could not be spoken. It is never closed. A text that was stopped has no result.
func (s *Speaker) Results() <-chan error { return s.results }

// Close stops the text. Say must not be called after Close.
func (s *Speaker) Close() {
	s.stop()
	<-s.done
}

func replace[T any](to chan T, value T) {
	select {
	case <-to:
	default:
	}
	to <- value
}

func (s *Speaker) run(ctx context.Context) {
	defer close(s.done)
	var playing *engine
	for {
		select {
		case <-ctx.Done():
			playing.end()
			return
		case u := <-s.texts:
			playing.end()
			playing = nil
			if u.Text != "" {
				playing = start(ctx, s.command, u)
			}
		case err := <-playing.result():
			playing = nil
			replace(s.results, err)
		}
	}
}

// engine is a running process. A nil engine is one that has ended.
type engine struct {
	cancel context.CancelFunc
	ended  chan error
}

func start(ctx context.Context, command []string, u Utterance) *engine {
	fill := strings.NewReplacer("{voice}", u.Voice, "{volume}", strconv.Itoa(u.Volume))
	args := make([]string, len(command))
	for i, word := range command {
		args[i] = fill.Replace(word)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(u.Text)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopAfter
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	e := &engine{cancel, make(chan error, 1)}
	go func() {
		defer cancel()
		err := cmd.Run()
		// espeak-ng ends with status 0 when there is no sound device.
		if text := lastLine(complaint.String()); text != "" {
			err = errors.New(text)
		}
		if err != nil {
			err = fmt.Errorf("cannot speak with %s: %w", args[0], err)
		}
		e.ended <- err
	}()
	return e
}

// result returns a channel that receives once the engine has ended by itself.
func (e *engine) result() <-chan error {
	if e == nil {
		return nil
	}
	return e.ended
}

// end stops the engine and waits for it.
func (e *engine) end() {
	if e != nil {
		e.cancel()
		<-e.ended
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
