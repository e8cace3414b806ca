package tpmkey

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// chip answers commands with a list of responses, and repeats the last one.
type chip struct {
	answers  []string // hexadecimal
	commands []string
	pending  bytes.Buffer
}

func (c *chip) Write(b []byte) (int, error) {
	c.commands = append(c.commands, hex.EncodeToString(b))
	next, err := hex.DecodeString(c.answers[0])
	if err != nil {
		return 0, err
	}
	if c.pending.Write(next); len(c.answers) > 1 {
		c.answers = c.answers[1:]
	}
	return len(b), nil
}

// Read returns a few bytes at a time, as a socket may.
func (c *chip) Read(b []byte) (int, error) { return c.pending.Read(b[:min(len(b), 7)]) }
func (c *chip) Close() error               { return nil }

const (
	done     = "80010000000a00000000"
	retry    = "80010000000a00000922"
	yielded  = "80010000000a00000908"
	selfTest = "80010000000a0000090a"
	lockout  = "80010000000a00000921"
)

// TestPatience: a command to a busy TPM is repeated for some seconds, with growing
// pauses.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		want    string
		asked   int
		took    time.Duration
	}{
		"at once":  {[]string{done}, done, 1, 0},
		"busy":     {[]string{retry, yielded, selfTest, done}, done, 4, 35 * time.Millisecond},
		"for ever": {[]string{retry}, retry, 26, 5065 * time.Millisecond},
		"another":  {[]string{lockout, done}, lockout, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			chip := &chip{answers: c.answers}
			began := time.Now()
			got, err := conn{chip}.Send([]byte{1, 2})
			if err != nil || hex.EncodeToString(got) != c.want || len(chip.commands) != c.asked || time.Since(began) != c.took {
				t.Errorf("%s: %x, %v after %d commands and %s", name, got, err, len(chip.commands), time.Since(began))
			}
		})
	}
}

// TestResponses: an invalid response is an error, and a long response is read
// completely.
func TestResponses(t *testing.T) {
	long := "8001" + "00001000" + "00000000" + strings.Repeat("ab", 4086)
	if got, err := (conn{&chip{answers: []string{long}}}).Send(nil); err != nil || len(got) != 4096 {
		t.Errorf("%d bytes of 4096, %v", len(got), err)
	}
	for answer, want := range map[string]string{
		"":                              "no response: EOF",
		"8001":                          "no response: unexpected EOF",
		"80010000000c00000000":          "no response: EOF",
		"80010000000900000000":          "states 9",
		"80010000100100000000":          "states 4097",
		"80010000000a00000000" + "0000": "states 10",
	} {
		if _, err := (conn{&chip{answers: []string{answer}}}).Send(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", answer, err, want)
		}
	}
}
