package scproxy

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"smartkiosk/device/slot"
)

// The tests in this file check the points of the package doc in which the open
// programs differ.

// TestRefusedCommand: a status word other than 9000 is a response like any other.
func TestRefusedCommand(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	responses, detail := p.transmit("00A40000021234", "00200082")
	if len(responses) != 2 || responses[0] != "6a82" || responses[1] != "63c3" || detail != 0 {
		t.Errorf("%q, %d", responses, detail)
	}
}

// TestListDuringSession: the session of a page does not change what the list says.
func TestListDuringSession(t *testing.T) {
	service, s, _ := newService(t)
	p := newPage(t, service, "s1")
	p.transmit("00A40000023F00")
	if r := p.call("/scard/list/", "{}"); len(r.Readers) != 1 || r.Readers[0].Status != 302 {
		t.Errorf("in the session: %+v", r.Readers)
	}
	s.Remove()
	if r := p.call("/scard/list/", "{}"); len(r.Readers) != 1 || r.Readers[0].Status != 303 {
		t.Errorf("removed in the session: %+v", r.Readers)
	}
}

// TestReaderOfSession: a session refuses commands for another reader than its own
// and continues.
func TestReaderOfSession(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	p.transmit(p.verify("1234"))
	for range 2 {
		if status, answer := p.post(origin, apduPath("Another reader"), p.body("00200082")); status != http.StatusBadRequest || !strings.Contains(string(answer), "unknown reader") {
			t.Errorf("another reader: %d %s", status, answer)
		}
	}
	if responses, _ := p.transmit("00200082"); responses[0] != "9000" {
		t.Errorf("the session did not continue: %v", responses)
	}
	other := newPage(t, service, "s2")
	if status, _ := other.post(origin, apduPath("Another reader"), other.body("00200082")); status != http.StatusBadRequest {
		t.Errorf("another session for another reader: %d", status)
	}
	if responses, _ := p.transmit("00200082"); responses[0] != "9000" {
		t.Errorf("a request for another reader ended the session: %v", responses)
	}
}

// TestSlotMovesToAnotherReader: a session ends when the slot moves to a card in
// another reader, so that no command reaches that card.
func TestSlotMovesToAnotherReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, _ := newService(t)
		moves := make(chan slot.Event)
		service := New(movingSlot{s, moves}, slog.New(slog.DiscardHandler))
		p := newPage(t, service, "s1")
		p.transmit("00200082")
		moves <- slot.Event{State: slot.Present, Reader: "Another reader"}
		if synctest.Wait(); service.sessions.isOpen(owner{origin, "s1"}) {
			t.Error("the session is open")
		}
		service.Close()
	})
}

// movingSlot is a slot whose events after the first come from moves.
type movingSlot struct {
	slot.Slot
	moves <-chan slot.Event
}

func (s movingSlot) Watch(ctx context.Context) <-chan slot.Event {
	events := make(chan slot.Event, 1)
	events <- slot.Event{State: slot.Present, Reader: readerName}
	go func() {
		defer close(events)
		for {
			select {
			case e := <-s.moves:
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

// TestDisconnectUnknownSession: a page may disconnect a session that is not open.
func TestDisconnectUnknownSession(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	if status, _ := p.post(origin, "/scard/disconnect/", `{"session":"unknown"}`); status != http.StatusOK {
		t.Errorf("%d", status)
	}
}

// TestTimeoutInEveryForm: pages send timeout as a number or as a string.
func TestTimeoutInEveryForm(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	for _, timeout := range []string{`10`, `"10"`, `"soon"`, `-1`, `1e9`, `null`, `{}`} {
		body := strings.Replace(p.body("00A40000023F00"), `"timeout":10`, `"timeout":`+timeout, 1)
		if status, answer := p.post(origin, apduPath(readerName), body); status != http.StatusOK || !strings.Contains(string(answer), `{"apdu":"9000"}`) {
			t.Errorf("%s: %d %s", timeout, status, answer)
		}
	}
}

// TestChangePIN: a page changes the PIN and unblocks it by PIN packets. The first PIN
// of the command is in cmd or scrambled, the second in rest or scrambled.
func TestChangePIN(t *testing.T) {
	service, _, _ := newService(t)
	p := newPage(t, service, "s1")
	const pad = "FFFFFFFF"
	one := func(command, want string) {
		t.Helper()
		if responses, detail := p.transmit(command); len(responses) != 1 || responses[0] != want || detail != 0 {
			t.Errorf("got %q, %d, want %s", responses, detail, want)
		}
	}
	p.transmit("00A4040C0CA000000063504B43532D3135")
	one(p.packet("0024008210", "1234", pad+"35363738"+pad), "9000")
	one(p.verify("5678"), "9000")
	one(p.packet("002400821035363738"+pad, "1234", pad), "9000")
	for range 3 {
		p.transmit(p.verify("9999"))
	}
	one(p.verify("1234"), "6983")
	one(p.packet("002C008210", "12345678", "31323334"+pad), "9000")
	one(p.verify("1234"), "9000")
}
