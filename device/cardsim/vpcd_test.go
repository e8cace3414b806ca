package cardsim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
)

// virtualReader is the reader's end of the vpcd protocol.
type virtualReader struct {
	t    *testing.T
	conn net.Conn
}

// insertInto connects a card to a reader. done receives the result of ServeVPCD.
func insertInto(t *testing.T, ctx context.Context, card *cardsim.Card) (reader virtualReader, done chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done = make(chan error, 1)
	go func() { done <- cardsim.ServeVPCD(ctx, l.Addr().String(), card) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return virtualReader{t, conn}, done
}

func (r virtualReader) send(frame string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, frame); err != nil {
		r.t.Fatal(err)
	}
}

func (r virtualReader) expect(frame string) {
	r.t.Helper()
	got := make([]byte, len(frame))
	if _, err := io.ReadFull(r.conn, got); err != nil || string(got) != frame {
		r.t.Fatalf("got %X, %v, want %X", got, err, frame)
	}
}

// TestVPCDOverLine checks that commands take the line's time in a virtual reader too.
func TestVPCDOverLine(t *testing.T) {
	card := newPKI(t).Cards["valid"]
	line := cardsim.Line{Rate: 9600}
	var waited []time.Duration
	card.SetLine(line, func(d time.Duration) { waited = append(waited, d) })
	ctx, cancel := context.WithCancel(t.Context())
	reader, done := insertInto(t, ctx, card)
	reader.send("\x00\x01\x01") // on
	reader.send("\x00\x04\x00\x20\x00\x83")
	reader.expect("\x00\x02\x63\xC3")
	cancel()
	<-done
	want := []time.Duration{line.Reset(card.ATR()), line.T0([]byte("\x00\x20\x00\x83"), []byte("\x63\xC3"))}
	if !slices.Equal(waited, want) {
		t.Errorf("waited %v, want %v", waited, want)
	}
}

func TestVPCD(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, done := insertInto(t, ctx, newPKI(t).Cards["valid"])
	const atr = "\x00\x14\x3B\x9F\x96\x40\x0A\x80\x31\xE0\x6B\x04\x20\x05\x02\x10\x55\x55\x55\x55\x55\x55"
	reader.send("\x00\x01\x04") // ATR, before there is power
	reader.expect(atr)
	reader.send("\x00\x04\x00\x20\x00\x83") // no power: no answer
	reader.expect("\x00\x00")
	reader.send("\x00\x01\x01") // on
	reader.send("\x00\x0D\x00\x20\x00\x83\x08" + "12345678")
	reader.expect("\x00\x02\x90\x00")
	reader.send("\x00\x01\x04") // polled: must not reset the card
	reader.expect(atr)
	reader.send("\x00\x04\x00\x20\x00\x83")
	reader.expect("\x00\x02\x90\x00")
	reader.send("\x00\x01\x02") // reset
	reader.send("\x00\x04\x00\x20\x00\x83")
	reader.expect("\x00\x02\x63\xC3")
	reader.send("\x00\x01\x00") // off
	reader.send("\x00\x04\x00\x20\x00\x83")
	reader.expect("\x00\x00")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("pulled: %v", err)
	}
	if n, err := reader.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("pulled: the reader reads %d bytes, %v", n, err)
	}
}

// TestVPCDAcknowledgesAtOnce writes length and body separately, as vpcd does. Without
// TCP_QUICKACK each command would wait for 40 ms, and this test for two seconds.
func TestVPCDAcknowledgesAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	reader, _ := insertInto(t, t.Context(), newPKI(t).Cards["valid"])
	if err := reader.conn.(*net.TCPConn).SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	reader.send("\x00\x01\x01") // on
	start := time.Now()
	for range 50 {
		reader.send("\x00\x04")
		reader.send("\x00\x20\x00\x83")
		reader.expect("\x00\x02\x63\xC3")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("50 commands took %v", took)
	}
}

// TestVPCDMute checks the ATR that makes vpcd consider a card mute.
func TestVPCDMute(t *testing.T) {
	reader, _ := insertInto(t, t.Context(), newPKI(t).Cards["mute"])
	reader.send("\x00\x01\x04")
	reader.expect("\x00\x22" + strings.Repeat("\x00", 34))
}

func TestVPCDFails(t *testing.T) {
	card := newPKI(t).Cards["valid"]
	for name, test := range map[string]struct {
		frame string
		want  string
	}{
		"reader goes away":        {"", "the virtual reader is gone"},
		"empty frame":             {"\x00\x00", "cannot serve virtual reader: empty frame"},
		"unknown control":         {"\x00\x01\x03", "cannot serve virtual reader: unknown control 3"},
		"reader goes in a frame":  {"\x00\x04\x00", "the virtual reader is gone"},
		"reader goes in a length": {"\x00", "the virtual reader is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			reader, done := insertInto(t, t.Context(), card)
			reader.send(test.frame)
			reader.conn.Close()
			if err := <-done; err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	t.Run("no reader", func(t *testing.T) {
		err := cardsim.ServeVPCD(t.Context(), "127.0.0.1:1", card)
		if !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "cannot reach virtual reader: ") {
			t.Error(err)
		}
	})
}
