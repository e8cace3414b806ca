// Package apdutest replaces a card with a script in tests (package script has the
// format). The commands must arrive exactly as written and in that order. A surplus
// command and a missing command both fail the test.
package apdutest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"smartkiosk/device/apdu/script"
	"smartkiosk/device/slot"
)

// Playback is a slot.Conn that answers from a script.
type Playback struct {
	script script.Script
	done   int
	closed bool
	fail   error // the first deviation from the script
}

// ErrScript means that the commands differ from the script.
var ErrScript = errors.New("not in the script")

// Load reads the script in a file. The test fails at its end if the commands
// differed from the script.
func Load(t testing.TB, path string) *Playback {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Play(t, string(b))
}

// Play is Load for a script in a string.
func Play(t testing.TB, text string) *Playback {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Done(); err != nil {
			t.Errorf("APDU script: %v", err)
		}
	})
	return p
}

// Parse decodes a script.
func Parse(text string) (*Playback, error) {
	s, err := script.Parse(text)
	if err != nil {
		return nil, err
	}
	return &Playback{script: s}, nil
}

// Transmit returns the response of the next step if command is the one in the
// script.
func (p *Playback) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.closed {
		return nil, p.deviate("command %X after Close", command)
	}
	if p.done == len(p.script.Steps) {
		return nil, p.deviate("surplus command %X after step %d", command, p.done)
	}
	s := p.script.Steps[p.done]
	if !bytes.Equal(command, s.Command) {
		return nil, p.deviate("step %d (%s): got %X, want %X", p.done+1, s.Comment, command, s.Command)
	}
	p.done++
	if s.Response == nil {
		return nil, fmt.Errorf("playback: %w", slot.ErrNoCard)
	}
	return bytes.Clone(s.Response), nil
}

func (p *Playback) deviate(format string, args ...any) error {
	err := fmt.Errorf("%w: "+format, append([]any{ErrScript}, args...)...)
	if p.fail == nil {
		p.fail = err
	}
	return err
}

// ATR returns the script's answer to reset.
func (p *Playback) ATR() []byte { return p.script.ATR }

// Close ends the script. A later command is a deviation.
func (p *Playback) Close() error { p.closed = true; return nil }

// Done returns the first deviation or the first step that was never reached.
func (p *Playback) Done() error {
	if p.fail != nil {
		return p.fail
	}
	if p.done < len(p.script.Steps) {
		s := p.script.Steps[p.done]
		return fmt.Errorf("%w: step %d of %d was never reached: %X (%s)", ErrScript, p.done+1, len(p.script.Steps), s.Command, s.Comment)
	}
	return nil
}

var _ slot.Conn = (*Playback)(nil)
