// Package script reads and writes what a card and a program said to each other, as
// text. Tests play scripts in place of a card (apdutest), kioskctl card learn writes
// them, and scproxy records logins as scripts.
//
// A line has one of these forms. Text after # is a comment; a command needs one that
// says its purpose:
//
//	atr 3B 6F 00 00 …            the answer to reset; optional, before all other lines
//	reset                        the card was reset before the next command
//	> 00 A4 00 00 02 3F 00       # select the master file
//	< 90 00                      the response to the command above it
//	> 00 B0 00 00 00             # read it
//	< no card                    the card did not answer
package script

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Script is one card and the commands that it received.
type Script struct {
	ATR   []byte
	Steps []Step
}

// Step is one command and its response.
type Step struct {
	Command  []byte
	Response []byte // with the status bytes; nil if the card did not answer
	Comment  string // purpose of the command
	Reset    bool   // the card was reset before the command
}

// ErrMalformed means that a text is not a script.
var ErrMalformed = errors.New("malformed script")

const noCard = "no card"

// maxQuote is how many bytes of a line an error quotes.
const maxQuote = 40

// Parse decodes a script. The error names the line.
func Parse(text string) (Script, error) {
	var s Script
	var open *Step // a command without its response
	reset := false
	for i, line := range strings.Split(text, "\n") {
		content, comment, _ := strings.Cut(line, "#")
		content, comment = strings.TrimSpace(content), strings.TrimSpace(comment)
		if content == "" {
			continue
		}
		bad := func(why string) (Script, error) {
			return Script{}, fmt.Errorf("%w: line %d: %s: %q", ErrMalformed, i+1, why, line[:min(len(line), maxQuote)])
		}
		kind, rest, _ := strings.Cut(content, " ")
		if kind != "atr" && kind != "reset" && kind != ">" && kind != "<" {
			return bad("does not begin with atr, reset, > or <")
		}
		var data []byte
		if kind != "reset" && !(kind == "<" && rest == noCard) {
			var err error
			if data, err = hex.DecodeString(strings.ReplaceAll(rest, " ", "")); err != nil {
				return bad("not hexadecimal")
			}
			if len(data) == 0 {
				return bad("no bytes")
			}
		}
		switch {
		case kind == "atr" && s.ATR == nil && len(s.Steps) == 0 && open == nil && !reset:
			s.ATR = data
		case kind == "reset" && rest == "" && open == nil:
			reset = true
		case kind == ">" && open == nil:
			if comment == "" {
				return bad("command without a comment")
			}
			open = &Step{Command: data, Comment: comment, Reset: reset}
			reset = false
		case kind == "<" && open != nil:
			open.Response = data
			s.Steps = append(s.Steps, *open)
			open = nil
		default:
			return bad("out of place")
		}
	}
	if open != nil {
		return Script{}, fmt.Errorf("%w: the last command (%.*s) has no response", ErrMalformed, maxQuote, open.Comment)
	}
	return s, nil
}

// String encodes a script in the form that Parse reads.
func (s Script) String() string {
	var b strings.Builder
	if s.ATR != nil {
		fmt.Fprintf(&b, "atr % X\n", s.ATR)
	}
	for _, step := range s.Steps {
		b.WriteString("\n" + step.String())
	}
	return b.String()
}

// String encodes one step, as lines.
func (s Step) String() string {
	text := fmt.Sprintf("> % X  # %s\n", s.Command, s.Comment)
	if s.Reset {
		text = "reset\n\n" + text
	}
	if s.Response == nil {
		return text + "< " + noCard + "\n"
	}
	return text + fmt.Sprintf("< % X\n", s.Response)
}
