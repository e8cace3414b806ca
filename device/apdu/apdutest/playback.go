// Package apdutest replaces a card with a script in tests. The commands must
// arrive exactly as written and in that order. A surplus command and a missing
// command both fail the test.
//
// A script is text. Each step has two lines, the command with a comment that
// says its purpose, and the response:
//
//	atr 3B 6F 00 00 …            the answer to reset, optional, first
//	> 00 A4 00 00 02 3F 00       # select the master file
//	< 90 00
//	> 00 B0 00 00 00             # read it; the card is removed meanwhile
//	< no card
package apdutest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"smartkiosk/device/slot"
)

// Playback is a slot.Conn that answers from a script.
type Playback struct {
	atr    []byte
	steps  []step
	done   int
	closed bool
	fail   error // the first deviation from the script
}

type step struct {
	command, response []byte // a nil response means that the card is gone
	comment           string
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
func Play(t testing.TB, script string) *Playback {
	t.Helper()
	p, err := Parse(script)
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

// Parse decodes a script. Each command needs a comment and a response.
func Parse(script string) (*Playback, error) {
	p := &Playback{}
	var command *step
	for i, line := range strings.Split(script, "\n") {
		text, comment, _ := strings.Cut(line, "#")
		text, comment = strings.TrimSpace(text), strings.TrimSpace(comment)
		if text == "" {
			continue
		}
		bad := func(what string) (*Playback, error) {
			return nil, fmt.Errorf("line %d: %s: %q", i+1, what, line)
		}
		kind, rest, _ := strings.Cut(text, " ")
		data, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil && rest != "no card" {
			return bad("not hexadecimal")
		}
		switch {
		case kind == "atr" && len(p.steps) == 0 && command == nil:
			p.atr = data
		case kind == ">" && command == nil:
			if comment == "" {
				return bad("command without a comment")
			}
			command = &step{command: data, comment: comment}
		case kind == "<" && command != nil:
			if rest != "no card" {
				command.response = data
			}
			p.steps = append(p.steps, *command)
			command = nil
		default:
			return bad("out of place")
		}
	}
	if command != nil {
		return nil, fmt.Errorf("command %q has no response", command.comment)
	}
	return p, nil
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
	if p.done == len(p.steps) {
		return nil, p.deviate("surplus command %X after step %d", command, p.done)
	}
	s := p.steps[p.done]
	if !bytes.Equal(command, s.command) {
		return nil, p.deviate("step %d (%s): got %X, want %X", p.done+1, s.comment, command, s.command)
	}
	p.done++
	if s.response == nil {
		return nil, fmt.Errorf("playback: %w", slot.ErrNoCard)
	}
	return bytes.Clone(s.response), nil
}

func (p *Playback) deviate(format string, args ...any) error {
	err := fmt.Errorf("%w: "+format, append([]any{ErrScript}, args...)...)
	if p.fail == nil {
		p.fail = err
	}
	return err
}

// ATR returns the script's answer to reset.
func (p *Playback) ATR() []byte { return p.atr }

// Close ends the script. A later command is a deviation.
func (p *Playback) Close() error { p.closed = true; return nil }

// Done returns the first deviation or the first step that was never reached.
func (p *Playback) Done() error {
	if p.fail != nil {
		return p.fail
	}
	if p.done < len(p.steps) {
		s := p.steps[p.done]
		return fmt.Errorf("%w: step %d of %d was never reached: %X (%s)", ErrScript, p.done+1, len(p.steps), s.command, s.comment)
	}
	return nil
}

var _ slot.Conn = (*Playback)(nil)
