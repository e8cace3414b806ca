package usbreader_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/usbreader"
)

const smartkortATR = "3B 9F 96 40 0A 80 31 E0 6B 04 20 05 02 10 55 55 55 55 55 55"

// TestMessages compares a session with a T=0 card byte by byte.
func TestMessages(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	for _, c := range []struct{ name, message, answer string }{
		{"GetSlotStatus: no power yet", "65 00000000 00 00 000000", "81 00000000 00 00 01 00 01"},
		{"GetParameters: no power yet", "6C 00000000 00 01 000000", "82 00000000 00 01 41 FE 00"},
		{"XfrBlock: no power yet", "6F 04000000 00 02 00 0000 00200083", "80 00000000 00 02 41 FE 00"},
		{"IccPowerOn at 5 V", "62 00000000 00 03 01 0000", "80 14000000 00 03 00 00 00" + smartkortATR},
		{"IccPowerOn at an unknown voltage", "62 00000000 00 04 04 0000", "80 00000000 00 04 40 07 00"},
		{"GetSlotStatus", "65 00000000 00 05 000000", "81 00000000 00 05 00 00 00"},
		{"GetParameters", "6C 00000000 00 06 000000", "82 05000000 00 06 00 00 00 11 00 00 0A 00"},
		{"PPS", "6F 04000000 00 07 00 0000 FF109679", "80 04000000 00 07 00 00 00 FF109679"},
		{"SetParameters", "61 05000000 00 08 00 0000 96 00 00 0A 00", "82 05000000 00 08 00 00 00 96 00 00 0A 00"},
		{"SetParameters of T=2", "61 05000000 00 09 02 0000 96 00 00 0A 00", "82 00000000 00 09 40 07 00"},
		{"SetParameters, cut", "61 04000000 00 0A 00 0000 96 00 00 0A", "82 00000000 00 0A 40 01 00"},
		{"SELECT, and 61xx", "6F 11000000 00 0B 00 0000 00A40400 0C A000000063504B43532D3135", "80 02000000 00 0B 00 00 00 611A"},
		{"wrong Le, and 6Cxx", "6F 05000000 00 0C 00 0000 00C0000000", "80 02000000 00 0C 00 00 00 6C1A"},
		{"VERIFY without data: four bytes", "6F 04000000 00 0D 00 0000 00200083", "80 02000000 00 0D 00 00 00 63C3"},
		{"XfrBlock of nothing", "6F 00000000 00 0E 00 0000", "80 00000000 00 0E 40 01 00"},
		{"XfrBlock at a level for extended APDUs", "6F 04000000 00 0F 00 0100 00200083", "80 00000000 00 0F 40 08 00"},
		{"dwLength beyond the message", "6F 05000000 00 10 00 0000 00200083", "81 00000000 00 10 40 01 00"},
		{"dwLength of 4 GB", "6F FFFFFFFF 00 11 00 0000 00200083", "81 00000000 00 11 40 01 00"},
		{"longer than dwMaxCCIDMessageLength", "6F 06010000 00 12 00 0000" + strings.Repeat("00", 262), "81 00000000 00 12 40 01 00"},
		{"second slot", "65 00000000 01 13 000000", "81 00000000 01 13 40 05 00"},
		{"Escape", "6B 01000000 00 14 000000 6A", "81 00000000 00 14 40 00 00"},
		{"Secure without keys", "69 01000000 00 15 000000 00", "81 00000000 00 15 40 00 00"},
		{"ResetParameters", "6D 00000000 00 16 000000", "82 05000000 00 16 00 00 00 11 00 00 0A 00"},
		{"IccPowerOff", "63 00000000 00 17 000000", "81 00000000 00 17 01 00 01"},
		{"and then", "6F 04000000 00 18 00 0000 00200083", "80 00000000 00 18 41 FE 00"},
	} {
		h.out(commandsOut, unhex(t, c.message))
		if got := h.answer(); !bytes.Equal(got, unhex(t, c.answer)) {
			t.Errorf("%s: %X, want %s", c.name, got, c.answer)
		}
	}
}

// TestPPS: a card accepts a valid PPS for its own protocol directly after the answer
// to reset. It does not answer any other PPS.
func TestPPS(t *testing.T) {
	for name, c := range map[string]struct {
		card, pps string
		taken     bool
	}{
		"speed":                {"valid", "FF 10 96 79", true},
		"nothing but protocol": {"valid", "FF 00 FF", true},
		"all of them":          {"valid", "FF 70 96 00 00 19", true},
		"T=1":                  {"t1", "FF 01 FE", true},
		"T=1 of a card of T=0": {"valid", "FF 01 FE", false},
		"T=0 of a card of T=1": {"t1", "FF 00 FF", false},
		"check":                {"valid", "FF 10 96 78", false},
		"a byte too few":       {"valid", "FF 10 EF", false},
		"a byte too many":      {"valid", "FF 00 96 69", false},
		"reserved bit":         {"valid", "FF 80 7F", false},
		"two bytes":            {"valid", "FF FF", false},
	} {
		r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
		r.Insert(card(t, c.card))
		h := configured(t, r)
		h.powerOn()
		got, code := h.transfer(unhex(t, c.pps))
		if taken := bytes.Equal(got, unhex(t, c.pps)); taken != c.taken || !taken && code != 0xFE {
			t.Errorf("%s: %X, %02X", name, got, code)
		}
	}

	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	h.powerOn()
	h.expect("00A4000C 02 3F00", "9000")
	h.expect("FF109679", "6D00") // a command like any other
}

// TestProtocol: a card ignores bytes of the other protocol.
func TestProtocol(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "t1"))
	h := configured(t, r)
	if got := h.powerOn(); hex.EncodeToString(got[:4]) != "3b898131" {
		t.Errorf("ATR %X", got)
	}
	const block, answer = "00 00 05 0020008100 A4", "00 00 02 63C3 A2"
	h.expect(block, answer)
	set := func(specific, data, want string) {
		t.Helper()
		if status, _, protocol, got := h.ask(0x61, specific, unhex(t, data)); status != 0 || protocol != unhex(t, specific)[0] || !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("SetParameters: %02X, T=%d, %X", status, protocol, got)
		}
	}
	set("00 0000", "11 00 00 0A 00", "11 00 00 0A 00")
	if got, code := h.transfer(unhex(t, block)); got != nil || code != 0xFE {
		t.Errorf("set to T=0: %X, %02X", got, code)
	}
	set("01 0000", "11 10 00 4D 00 FE 00", "11 10 00 4D 00 FE 00")
	h.expect("00 81 00 81", answer) // what it said last
	h.powerOn()
	h.expect(block, answer)
}

// TestComingsAndGoings checks that the host gets an event when a card is inserted or
// removed.
func TestComingsAndGoings(t *testing.T) {
	const present, gone = "\x50\x03", "\x50\x02"
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "valid")) // before there is a host
	h := configured(t, r)
	status := func(want byte) {
		t.Helper()
		if status, _, _, _ := h.ask(0x65, "000000", nil); status != want {
			t.Errorf("status %02X, want %02X", status, want)
		}
	}
	event := func(want string) {
		t.Helper()
		if got := h.event(); string(got) != want {
			t.Errorf("told %X, want %X", got, want)
		}
	}
	event(present)
	status(1)
	h.powerOn()
	status(0)

	_, told := h.in(eventsIn, 8) // a host that waits
	r.Remove()
	if got := <-told; string(got.data) != gone {
		t.Errorf("told %X", got.data)
	}
	status(2)
	if status, code, _, _ := h.ask(0x62, "00 0000", nil); status != 0x42 || code != 0xFE {
		t.Errorf("power to no card: %02X %02X", status, code)
	}
	if _, code := h.transfer([]byte{0, 0x20, 0, 0x83}); code != 0xFE {
		t.Errorf("a command to no card: %02X", code)
	}

	r.Insert(card(t, "mute"))
	event(present)
	if status, code, _, _ := h.ask(0x62, "00 0000", nil); status != 0x41 || code != 0xFE {
		t.Errorf("power to a mute card: %02X %02X", status, code)
	}

	r.Insert(card(t, "valid")) // another in its place
	event(gone)
	event(present)
	h.powerOn()
	h.expect("0020008308 3132333435363738", "9000")
	h.unplug()

	r.Remove()
	r.Insert(card(t, "t1"))
	h = configured(t, r)
	event(present)
	status(1)
	if got := h.powerOn(); got[1] != 0x89 {
		t.Errorf("after it was plugged in again: %X", got)
	}
}

// TestPowerIsLost: switching off the power resets a verified PIN.
func TestPowerIsLost(t *testing.T) {
	const verify, question = "0020008308 3132333435363738", "00200083"
	var r *usbreader.Reader
	var h *host
	c := card(t, "valid")
	for name, lose := range map[string]func(){
		"IccPowerOff": func() { h.ask(0x63, "000000", nil) },
		"IccPowerOn":  func() {},
		"pulled":      func() { r.Remove(); r.Insert(c) },
		"unplugged":   func() { h.unplug(); h = configured(t, r) },
	} {
		t.Run(name, func(t *testing.T) {
			r = usbreader.New(usbreader.Config{Model: usbreader.Twin})
			r.Insert(c)
			h = configured(t, r)
			h.powerOn()
			h.expect(verify, "9000")
			h.expect(question, "9000")
			lose()
			h.powerOn()
			h.expect(question, "63C3")
		})
	}
}
