package usbreader_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/cardsim/usbreader/usbip"
)

// at returns a Strike function with a fault at each command of one instruction.
func at(ins byte, f usbreader.Fault) func(usbreader.Command) usbreader.Fault {
	return func(c usbreader.Command) usbreader.Fault {
		if c.INS == ins {
			return f
		}
		return usbreader.None
	}
}

const (
	insVerify = 0x20
	insSign   = 0x2A
)

// TestStruckCommands: Strike is called once for each command, with its number.
func TestStruckCommands(t *testing.T) {
	for _, c := range []struct {
		card, pin string
		want      string
	}{{"valid", testpki.PIN, "0020 002A"}, {"t1", testpki.LongPIN, "0020 002A"}} {
		var seen []byte
		r := usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: func(c usbreader.Command) usbreader.Fault {
			if seen = append(seen, c.INS); c.Number != len(seen) {
				t.Errorf("command %d is number %d", len(seen), c.Number)
			}
			return usbreader.None
		}})
		r.Insert(card(t, c.card))
		h := configured(t, r)
		if err := sign(t.Context(), h.open(16), c.pin); err != nil {
			t.Fatal(err)
		}
		count := func(ins byte) (n int) {
			for _, s := range seen {
				if s == ins {
					n++
				}
			}
			return n
		}
		if seen[0] != 0xA4 || count(insVerify) != 1 || count(insSign) != 1 {
			t.Errorf("%s: %X", c.card, seen)
		}
		seen = nil
		h.powerOn()
		if h.transfer(unhex(t, "00200083")); slices.Contains(seen, insVerify) != (c.card == "valid") {
			t.Errorf("%s, after power-on: %X", c.card, seen)
		}
	}
}

// TestFaults injects each fault during VERIFY.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		card, pin string
	}{{"valid", testpki.PIN}, {"t1", testpki.LongPIN}} {
		run := func(name string, f usbreader.Fault, check func(*testing.T, *line, error)) {
			t.Run(c.card+" "+name, func(t *testing.T) {
				r := usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, f)})
				r.Insert(card(t, c.card))
				l := configured(t, r).open(254)
				check(t, l, sign(t.Context(), l, c.pin))
			})
		}
		fails := func(t *testing.T, err error, with string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), with) {
				t.Errorf("got %v, want %s", err, with)
			}
		}
		status := func(t *testing.T, l *line, want byte) {
			t.Helper()
			if status, _, _, _ := l.ask(0x65, "000000", nil); status != want {
				t.Errorf("status %02X, want %02X", status, want)
			}
		}
		run("pulled", usbreader.Pull, func(t *testing.T, l *line, err error) {
			fails(t, err, "bError FE")
			status(t, l, 2)
			if in, out := l.event(), l.event(); string(in) != "\x50\x03" || string(out) != "\x50\x02" {
				t.Errorf("the host is told %X, %X", in, out)
			}
		})
		run("silent", usbreader.Silence, func(t *testing.T, l *line, err error) {
			fails(t, err, "bError FE")
			status(t, l, 0)
		})
		run("damaged", usbreader.Damage, func(t *testing.T, l *line, err error) {
			if !l.blocks {
				fails(t, err, "bError FD")
			} else if err != nil || l.repeats != 1 {
				t.Errorf("%v, %d blocks asked for again", err, l.repeats)
			}
		})
		run("wants time", usbreader.AskTime, func(t *testing.T, l *line, err error) {
			if err != nil || l.waits != 1 {
				t.Errorf("%v, waited %d times", err, l.waits)
			}
		})
	}
}

// TestStall: a stalled reader accepts messages and answers none until it is plugged
// in again.
func TestStall(t *testing.T) {
	inserted := card(t, "valid")
	synctest.Test(t, func(t *testing.T) {
		r := usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, usbreader.Stall)})
		r.Insert(inserted)
		h := configured(t, r)
		h.event()
		h.powerOn()
		answer, answered := h.in(answersIn, 512)
		event, told := h.in(eventsIn, 8)
		h.send(0x6F, "00 0000", unhex(t, "00200083"))
		synctest.Wait()
		r.Remove()
		h.send(0x65, "000000", nil)
		synctest.Wait()
		for _, sequence := range []uint32{answer, event} {
			if got := h.unlink(sequence); got.status != int32(usbip.Unlinked) {
				t.Errorf("a request to a reader that hangs: %+v", got)
			}
		}
		if len(answered)+len(told) != 0 {
			t.Error("a reader that hangs speaks")
		}
		h.unplug()
		h = configured(t, r)
		if status, _, _, _ := h.ask(0x65, "000000", nil); status != 2 {
			t.Errorf("plugged in again: %02X", status)
		}
	})
}

// TestUnplugFault: an unplugged reader ends everything that waits for it.
func TestUnplugFault(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin, Strike: at(insVerify, usbreader.Unplug)})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	h.powerOn()
	h.send(0x6F, "00 0000", unhex(t, "00200083"))
	if err := <-h.done; err != nil {
		t.Error(err)
	}
}

// TestAbort: the two halves of an abort, in either order, end the running command.
func TestAbort(t *testing.T) {
	for name, halves := range map[string][2]func(h *host){
		"control first": {
			func(h *host) { h.control("21 01 0005 0000 0000") },
			func(h *host) { h.out(commandsOut, unhex(t, "72 00000000 00 05 000000")) },
		},
		"message first": {
			func(h *host) { h.out(commandsOut, unhex(t, "72 00000000 00 05 000000")) },
			func(h *host) { h.control("21 01 0005 0000 0000") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{})
			r := usbreader.New(usbreader.Config{Model: usbreader.SPR532, Keypad: func(ctx context.Context) ([]byte, error) {
				close(asked)
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			r.Insert(card(t, "valid"))
			h := configured(t, r)
			h.powerOn()
			h.message = 5
			h.send(0x69, "00 0000", unhex(t, verifyOnPad))
			<-asked
			if status, code, _, _ := h.ask(0x65, "000000", nil); status != 0x40 || code != 0xE0 {
				t.Errorf("another command meanwhile: %02X %02X", status, code)
			}
			halves[0](h)
			if got := h.answer(); string(got) != string(unhex(t, "80 00000000 00 05 40 FF 00")) {
				t.Errorf("the command under way: %X", got)
			}
			if name == "control first" {
				if status, code, _, _ := h.ask(0x65, "000000", nil); status != 0x40 || code != 0xFF {
					t.Errorf("another command before the second half: %02X %02X", status, code)
				}
			}
			halves[1](h)
			if got := h.answer(); string(got) != string(unhex(t, "81 00000000 00 05 00 00 00")) {
				t.Errorf("the abort: %X", got)
			}
			h.expect("00200083", "63C3")
		})
	}
}
