package usbreader_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/usbreader"
	"smartkiosk/device/cardsim/usbreader/usbip"
)

// TestDescriptors compares the descriptors of the makes byte by byte.
func TestDescriptors(t *testing.T) {
	const (
		device = "12 01 0002 00 00 00 40"
		// 93 bytes, one interface; three endpoints, class 0B.
		head = "09 02 5D00 01 01 00 80 32  09 04 00 00 03 0B 00 00 00"
		// CCID 1.10, one slot, 5/3/1.8 V, T=0 and T=1, 4 MHz, rates, IFSD 254.
		class = "36 21 1001 00 07 03000000 A00F0000 A00F0000 00 012A0000 16400500 08 FE000000 00000000 00000000"
		// Bulk out 1, bulk in 2, interrupt in 3.
		endpoints = "07 05 01 02 4000 00  07 05 82 02 4000 00  07 05 83 03 0800 10"
	)
	twin := plugIn(t, usbreader.New(usbreader.Config{Model: usbreader.Twin}))
	spr := plugIn(t, usbreader.New(usbreader.Config{Model: usbreader.SPR532}))
	long := plugIn(t, usbreader.New(usbreader.Config{Model: usbreader.Model{Name: strings.Repeat("ø", 200), Features: 0x00040040}}))
	for _, c := range []struct {
		name  string
		host  *host
		setup string
		want  string
	}{
		{"device, as first asked for", twin, "80 06 0001 0000 4000", device + "E608 3734 0002 01 02 03 01"},
		{"device", spr, "80 06 0001 0000 1200", device + "E604 03E0 0006 01 02 03 01"},
		{"head of the configuration", twin, "80 06 0002 0000 0900", "09 02 5D00 01 01 00 80 32"},
		{"configuration", twin, "80 06 0002 0000 5D00", head + class + "30020100 0F010000 FF FF 0000 00 01" + endpoints},
		{"configuration with keys", spr, "80 06 0002 0000 FF00", head + class + "BA000100 0F010000 FF FF 0000 01 01" + endpoints},
		{"level of exchange", long, "80 06 0002 0000 FF00", head + class + "40000100 0F010000 FF FF 0000 00 01" + endpoints},
		{"languages", twin, "80 06 0003 0000 FF00", "04 03 0904"},
		{"manufacturer", twin, "80 06 0103 0904 FF00", "16 03 53006D006100720074006B0069006F0073006B00"},
		{"long name", long, "80 06 0203 0904 FF00", "FE 03" + strings.Repeat("F800", 126)},
		{"no serial number", long, "80 06 0303 0904 FF00", "02 03"},
	} {
		if got := c.host.control(c.setup); got.status != 0 || !bytes.Equal(got.data, unhex(t, c.want)) {
			t.Errorf("%s: %X, %d", c.name, got.data, got.status)
		}
	}
}

// TestControl sends the other requests, in this order.
func TestControl(t *testing.T) {
	h := plugIn(t, usbreader.New(usbreader.Config{Model: usbreader.Twin}))
	const stalled = "-"
	for _, c := range []struct{ name, setup, want string }{
		{"device qualifier", "80 06 0006 0000 0A00", stalled},
		{"second configuration", "80 06 0102 0000 0900", stalled},
		{"fourth string", "80 06 0403 0904 FF00", stalled},
		{"configuration, before", "80 08 0000 0000 0100", "00"},
		{"interface, before", "81 0A 0000 0000 0100", stalled},
		{"setting, before", "01 0B 0000 0000 0000", stalled},
		{"choose an unknown configuration", "00 09 0200 0000 0000", stalled},
		{"choose the configuration", "00 09 0100 0000 0000", ""},
		{"configuration, after", "80 08 0000 0000 0100", "01"},
		{"interface", "81 0A 0000 0000 0100", "00"},
		{"setting", "01 0B 0000 0000 0000", ""},
		{"unknown setting", "01 0B 0100 0000 0000", stalled},
		{"status of the device", "80 00 0000 0000 0200", "0000"},
		{"status of the interface", "81 00 0000 0000 0200", "0000"},
		{"status of an endpoint", "82 00 0000 8200 0200", "0000"},
		{"halt it", "02 03 0000 8200 0000", ""},
		{"status of a halted endpoint", "82 00 0000 8200 0200", "0100"},
		{"go on", "02 01 0000 8200 0000", ""},
		{"status of it then", "82 00 0000 8200 0200", "0000"},
		{"halt an unknown endpoint", "02 03 0000 0200 0000", stalled},
		{"status of it", "82 00 0000 0200 0200", stalled},
		{"clock frequencies", "A1 02 0000 0000 0400", "A00F0000"},
		{"data rates", "A1 03 0000 0000 0800", "012A0000 01540000"},
		{"abort in an unknown slot", "21 01 0100 0000 0000", stalled},
		{"of a vendor", "C0 01 0000 0000 0100", stalled},
		{"of a vendor, out", "40 01 0000 0000 0000", stalled},
	} {
		got := h.control(c.setup)
		switch {
		case c.want == stalled && got.status != int32(usbip.Stalled):
			t.Errorf("%s: %d, %X; want stall", c.name, got.status, got.data)
		case c.want != stalled && (got.status != 0 || !bytes.Equal(got.data, unhex(t, c.want))):
			t.Errorf("%s: %d, %X; want %s", c.name, got.status, got.data, c.want)
		}
	}
}

// TestEndpoints: the reader stalls a transfer to an unknown endpoint, and every
// transfer before the host has chosen a configuration.
func TestEndpoints(t *testing.T) {
	h := plugIn(t, usbreader.New(usbreader.Config{Model: usbreader.Twin}))
	stalls := func(name string, got reply) {
		t.Helper()
		if got.status != int32(usbip.Stalled) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	in := func(endpoint uint32) reply {
		_, end := h.in(endpoint, 64)
		return <-end
	}
	status := unhex(t, "65 00000000 00 00 000000")
	stalls("before configuration, out", h.out(commandsOut, status))
	stalls("before configuration, in", in(answersIn))
	h.control("00 09 0100 0000 0000")
	stalls("wrong way, out", h.out(answersIn, status))
	stalls("wrong way, in", in(commandsOut))
	stalls("no endpoint", h.out(4, status))
	stalls("no header", h.out(commandsOut, status[:9]))
	stalls("halted by that", h.out(commandsOut, status))
	h.control("02 01 0000 0100 0000")
	if got := h.out(commandsOut, status); got.status != 0 {
		t.Errorf("halted no more: %+v", got)
	}
}

// TestTransfers: if an answer is longer than a request allows, the rest follows in
// the next request. If the request does not allow a whole number of packets, the
// answer is cut and the request fails.
func TestTransfers(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	r.Insert(card(t, "valid"))
	h := configured(t, r)
	want := unhex(t, "80 14000000 00 00 00 00 00"+smartkortATR)
	read := func(room int) reply {
		_, end := h.in(answersIn, room)
		return <-end
	}
	h.message = 0
	h.send(0x62, "01 0000", nil)
	if got := read(64); got.status != 0 || !bytes.Equal(got.data, want) {
		t.Errorf("%+v", got)
	}
	h.send(0x62, "01 0000", nil)
	if got := read(10); got.status != int32(usbip.Overflow) || got.length != 10 {
		t.Errorf("no room: %+v", got)
	}

	h.transfer(unhex(t, "00A4040C0C A000000063504B43532D3135"))
	h.transfer(unhex(t, "00A4020C02 4501"))
	h.send(0x6F, "00 0000", unhex(t, "00B0000080"))
	first, second, third := read(64), read(64), read(64)
	if first.length != 64 || second.length != 64 || third.length != 10+128+2-128 {
		t.Errorf("in pieces of %d, %d and %d bytes", first.length, second.length, third.length)
	}
}

// TestUnlink: a request that is unlinked gets no other result.
func TestUnlink(t *testing.T) {
	h := configured(t, usbreader.New(usbreader.Config{Model: usbreader.Twin}))
	for _, endpoint := range []uint32{answersIn, eventsIn} {
		sequence, end := h.in(endpoint, 64)
		if got := h.unlink(sequence); got.status != int32(usbip.Unlinked) {
			t.Errorf("endpoint %d: %+v", endpoint, got)
		}
		if got := h.unlink(sequence); got.status != 0 {
			t.Errorf("endpoint %d, again: %+v", endpoint, got)
		}
		select {
		case got := <-end:
			t.Errorf("endpoint %d: returned by %+v", endpoint, got)
		default:
		}
	}
	h.send(0x65, "000000", nil)
	if got := h.answer(); got[0] != 0x81 {
		t.Errorf("then: %X", got)
	}
}

func TestServeEnds(t *testing.T) {
	r := usbreader.New(usbreader.Config{Model: usbreader.Twin})
	serve := func(ctx context.Context) (host net.Conn, done chan error) {
		host, device := net.Pipe()
		done = make(chan error, 1)
		go func() { done <- r.Serve(ctx, device) }()
		return host, done
	}

	ctx, cancel := context.WithCancel(t.Context())
	host, done := serve(ctx)
	if _, err := host.Write(unhex(t, "00000002 00000001 00000000 00000000 00000000 00000009 "+strings.Repeat("00", 24))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(host, make([]byte, 48)); err != nil { // it is plugged in now
		t.Fatal(err)
	}
	_, second := serve(t.Context())
	if err := <-second; err == nil || err.Error() != "cannot serve reader: the reader is plugged in already" {
		t.Errorf("plugged in twice: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("unplugged by the device: %v", err)
	}
	if _, err := host.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("unplugged by the device: the host reads on, %v", err)
	}

	host, done = serve(t.Context())
	host.Close()
	if err := <-done; err != nil {
		t.Errorf("unplugged by the host: %v", err)
	}

	for name, c := range map[string]struct {
		stream string
		want   error
	}{
		"not USB/IP":      {strings.Repeat("01", 48), usbip.ErrMalformed},
		"cut in a header": {"00000001", io.ErrUnexpectedEOF},
	} {
		host, done = serve(t.Context())
		host.Write(unhex(t, c.stream))
		host.Close()
		if err := <-done; !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "cannot serve reader: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQueues: a host that sends requests without end does not fill the memory.
func TestQueues(t *testing.T) {
	for name, flood := range map[string]func(*host){
		"requests": func(h *host) { h.in(answersIn, 64) },
		"answers":  func(h *host) { h.send(0x65, "000000", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			h := configured(t, usbreader.New(usbreader.Config{Model: usbreader.Twin}))
			for range 64 {
				flood(h)
			}
			sequence, data := h.sequence+1, []byte(nil)
			words := map[int]uint32{0: 1, 0x0C: 1, 0x10: answersIn, 0x18: 64}
			if name == "answers" {
				data = unhex(t, "65 00000000 00 00 000000")
				words = map[int]uint32{0: 1, 0x10: commandsOut, 0x18: uint32(len(data))}
			}
			h.post(words, nil, data, 0)
			if err := <-h.done; err == nil || !strings.Contains(err.Error(), "too many requests") {
				t.Errorf("after %d requests: %v", sequence, err)
			}
		})
	}
}
