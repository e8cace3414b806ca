package serialtext_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/device/display"
	"smartkiosk/device/display/serialtext"
)

// record is a port that keeps each message.
type record struct {
	messages [][]byte
	gone     error
}

func (r *record) Write(p []byte) (int, error) {
	if r.gone != nil {
		return 0, r.gone
	}
	r.messages = append(r.messages, bytes.Clone(p))
	return len(p), nil
}
func (r *record) Flush() error { return r.gone }
func (r *record) Close() error { return nil }

func (r *record) take() (all []string) {
	for _, m := range r.messages {
		all = append(all, fmt.Sprintf("% x", m))
	}
	r.messages = nil
	return all
}

// TestMessages checks messages against the manuals. Each frame is one message.
func TestMessages(t *testing.T) {
	spaces := func(n int) string { return strings.TrimSpace(strings.Repeat("20 ", n)) }
	for _, tt := range []struct {
		part                         func(serialtext.Port) *serialtext.Part
		start, blank, letter, taught string
	}{
		{
			// Hookup guide: 254 is a command, with bit 7 set for a position. 124
			// ('|') begins a setting: 45 clears, 27 teaches the first letter, 35
			// shows it.
			part: func(p serialtext.Port) *serialtext.Part {
				part, err := serialtext.NewSerLCD(p, 2, 16)
				if err != nil {
					t.Fatal(err)
				}
				return part
			},
			start:  "7c 2d",
			blank:  "fe 80 " + spaces(16) + " fe c0 " + spaces(16) + " fe 0c",
			letter: "fe c1 48",
			taught: "7c 1b 04 0a 0e 01 0f 11 0f 00 fe c2 7c 23",
		},
		{
			// Manual: 254 68 line wrap off, 254 82 scroll off, 254 88 clear,
			// 254 72 home; 254 71 column row; 254 66 0 display on; 254 75,
			// 254 84 cursors off.
			part:   serialtext.NewLK204,
			start:  "fe 44 fe 52 fe 58 fe 48",
			blank:  "fe 47 01 01 " + spaces(20) + " fe 47 01 02 " + spaces(20) + " fe 47 01 03 " + spaces(20) + " fe 47 01 04 " + spaces(20) + " fe 42 00 fe 54 fe 4b fe 54",
			letter: "fe 47 02 02 48",
			taught: "fe 4e 00 04 0a 0e 01 0f 11 0f 00 fe 47 03 02 00",
		},
		{
			// Specification 5.4: ESC = 2, ESC @, ESC R 0, ESC t 5, US MD1;
			// US $ column row; US C cursor, US E blink. 4.3: å is 86h.
			part:   serialtext.NewDMD110,
			start:  "1b 3d 02 1b 40 1b 52 00 1b 74 05 1f 01",
			blank:  "1f 24 01 01 " + spaces(20) + " 1f 24 01 02 " + spaces(20) + " 1f 43 00 1f 45 00",
			letter: "1f 24 02 02 48",
			taught: "1f 24 03 02 86",
		},
	} {
		port := &record{}
		part := tt.part(port)
		text, err := display.NewText(part)
		if err != nil {
			t.Fatal(err)
		}
		check := func(step string, err error, want ...string) {
			t.Helper()
			if got := port.take(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %s: %v, sends\n%s\nwant\n%s", part, step, err, got, want)
			}
		}
		check("start", nil, tt.start, tt.blank)
		check("letter", text.Show(display.Frame{Rows: []string{"", " H"}}), tt.letter)
		check("the same", text.Show(display.Frame{Rows: []string{"", " H"}}))
		check("taught", text.Show(display.Frame{Rows: []string{"", " Hå"}}), tt.taught)
		if err := text.Check(); !errors.Is(err, display.ErrBlind) {
			t.Errorf("%s: a port that is there: %v", part, err)
		}
		port.gone = errors.New("input/output error")
		if err := text.Check(); err == nil || err.Error() != "the serial port is gone: input/output error" {
			t.Errorf("%s: a port that is gone: %v", part, err)
		}
		if err := text.Show(display.Frame{}); err == nil || err.Error() != "cannot write to display: input/output error" {
			t.Errorf("%s: a port that is gone: %v", part, err)
		}
	}
}

// taught counts how often a module is taught å.
type taught struct {
	record
	times int
}

func (p *taught) Write(message []byte) (int, error) {
	p.times += bytes.Count(message, []byte{0x7c, 0x1b, 0x04, 0x0a, 0x0e, 0x01, 0x0f, 0x11, 0x0f, 0x00})
	p.messages = nil
	return p.record.Write(message)
}

// TestLettersWear checks a module that writes each taught letter to its EEPROM.
// It must not be taught å again in each minute of the months for which a screen
// is shown.
func TestLettersWear(t *testing.T) {
	port := &taught{}
	part, err := serialtext.NewSerLCD(port, 2, 16)
	if err != nil {
		t.Fatal(err)
	}
	text, err := display.NewText(part)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, err error, want int) {
		t.Helper()
		if err != nil || port.times != want {
			t.Errorf("%s: %v, taught %d times, want %d", when, err, port.times, want)
		}
		port.times = 0
	}
	check("the first frame", text.Show(display.Frame{Rows: []string{"å"}}), 1)
	check("a minute later, as it may not have listened", text.Refresh(), 1)
	const month = 30 * 24 * 60
	for range month {
		if err := text.Refresh(); err != nil {
			t.Fatal(err)
		}
	}
	check("a month later", nil, 14)
	port.gone = errors.New("input/output error")
	if text.Show(display.Frame{Rows: []string{"å", "é"}}) == nil {
		t.Error("a port that is gone takes a frame")
	}
	port.gone, port.times = nil, 0
	check("after a frame that got lost", text.Refresh(), 1)
}

func TestBadInput(t *testing.T) {
	if _, err := serialtext.NewSerLCD(nil, 4, 16); err == nil || err.Error() != "a SerLCD has 2 rows of 16 or 4 of 20 letters, not 4 of 16" {
		t.Error(err)
	}
	for _, tt := range []struct {
		name string
		baud int
		want string
	}{
		{"/dev/no such port", 9600, "cannot open serial port /dev/no such port at 9600 baud: open /dev/no such port: no such file or directory"},
		{"/dev/ptmx", 1, "cannot open serial port /dev/ptmx at 1 baud: Unrecognized baud rate"},
		{"/dev/null", 9600, "cannot open serial port /dev/null at 9600 baud: inappropriate ioctl for device"},
	} {
		if _, err := serialtext.Open(tt.name, tt.baud); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
