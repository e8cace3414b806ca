package usbreader

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/usbreader/usbip"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPINBlock compares the encodings of a PIN byte by byte (CCID §6.1.11).
func TestPINBlock(t *testing.T) {
	for name, c := range map[string]struct {
		format, field, extra string
		apdu, digits, want   string
	}{
		"ASCII from the left": {"82", "08", "0804", "00200082 08 FFFFFFFFFFFFFFFF", "1234", "00200082 08 31323334FFFFFFFF"},
		"ASCII to the right":  {"86", "08", "0804", "00200082 08 FFFFFFFFFFFFFFFF", "1234", "00200082 08 FFFFFFFF31323334"},
		"ASCII of no field":   {"82", "00", "1004", "00200082 10" + strings.Repeat("00", 16), "12345", "00200082 10 3132333435" + strings.Repeat("00", 11)},
		"BCD":                 {"81", "03", "0606", "00200081 03 FFFFFF", "123456", "00200081 03 123456"},
		"BCD, an odd number":  {"81", "04", "0804", "00200081 04 FFFFFFFF", "12345", "00200081 04 12345FFF"},
		"BCD to the right":    {"85", "04", "0804", "00200081 04 00000000", "1234", "00200081 04 00001234"},
		"binary":              {"80", "04", "0404", "00200081 04 FFFFFFFF", "1234", "00200081 04 01020304"},
		"behind a byte":       {"8A", "07", "0704", "00200081 08 24FFFFFFFFFFFFFF", "1234", "00200081 08 2431323334FFFFFF"},
		"behind eight bits":   {"42", "07", "0704", "00200081 08 24FFFFFFFFFFFFFF", "1234", "00200081 08 2431323334FFFFFF"},
	} {
		e, place, ok := parsePINEntry(unhex(t, "00 1E"+c.format+c.field+"00"+c.extra+"02 00 1404 00 000000"+c.apdu))
		if !ok {
			t.Errorf("%s: refused at %d", name, place)
		} else if got := e.command([]byte(c.digits)); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %X, want %s", name, got, c.want)
		}
	}
}

// FuzzMessage checks that the data of a message has the stated length, and that the
// command of a PIN verification is as long as the host's.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		"62 00000000 00 03 01 0000", "6F FFFFFFFF 00 11 00 0000 00200083", "61 05000000 00 08 00 0000 9600000A00", "6F",
		"69 1C000000 00 00 00 0000 00 1E 82 08 00 0804 02 00 1404 00 000000 A020008208 FFFFFFFFFFFFFFFF",
		"69 17000000 00 00 00 0000 00 00 85 03 00 0606 02 00 1404 00 004008 0020008103 FFFFFF",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		switch {
		case errors.Is(err, errShort) != (len(b) < headerSize), err != nil && m.data != nil:
			t.Fatalf("%+v, %v", m, err)
		case err != nil:
			return
		case len(m.data) != len(b)-headerSize || len(b) > maxMessage:
			t.Fatalf("%d bytes of data in %d", len(m.data), len(b))
		}
		e, place, ok := parsePINEntry(m.data)
		if !ok {
			if place == 0 || int(place) > headerSize+len(m.data) {
				t.Fatalf("refused at %d", place)
			}
			return
		}
		for _, n := range []int{e.min, e.max} {
			digits := bytes.Repeat([]byte("9"), n)
			if got := e.command(digits); len(got) != len(e.apdu) || !bytes.Equal(got[:5], e.apdu[:5]) || !e.accepts(digits) {
				t.Fatalf("%X became %X", e.apdu, got)
			}
		}
	})
}

// FuzzServe plugs a reader into a host that sends any bytes. The reader must stop when
// the host does, and send nothing but answers to requests.
func FuzzServe(f *testing.F) {
	request := func(sequence byte, words, setup, data string) []byte {
		return unhex(f, fmt.Sprintf("00000001 000000%02x 00010001 %s 00000000 ffffffff 00000000 %s %s", sequence, words, setup, data))
	}
	const none = "0000000000000000"
	configure := request(1, "00000000 00000000 00000000 00000000", "0009010000000000", "")
	f.Add(request(1, "00000001 00000000 00000000 00000012", "8006000100001200", ""))
	f.Add(slices.Concat(configure, request(2, "00000000 00000001 00000000 0000000a", none, "62000000000000010000")))
	f.Add(slices.Concat(configure, request(2, "00000001 00000002 00000000 00000040", none, ""), request(3, "00000000 00000001 00000000 0000000a", none, "65000000000000000000")))
	f.Add(unhex(f, "00000002 00000008 00020003 00000000 00000000 00000d05"+strings.Repeat("00", 24)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := New(Config{Model: SPR532})
		host, device := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- r.Serve(context.Background(), device) }()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			for b := make([]byte, 1<<16); ; {
				if _, err := host.Read(b); err != nil {
					return
				}
			}
		}()
		host.Write(stream)
		host.Close()
		err := <-done
		<-drained
		if err != nil && !errors.Is(err, usbip.ErrMalformed) && !strings.Contains(err.Error(), "unexpected EOF") && !errors.Is(err, errQueue) {
			t.Fatal(err)
		}
	})
}

// TestFreePort reads a status of vhci_hcd with three ports: the first is in use, and
// the third is for SuperSpeed.
func TestFreePort(t *testing.T) {
	const heading = "hub port sta spd dev      sockfd local_busid\n"
	const used = "hs  0000 006 002 00010001 000005 1-1\n"
	const free = "hs  0001 004 000 00000000 000000 0-0\n"
	const super = "ss  0008 004 000 00000000 000000 0-0\n"
	if port, err := freePort([]byte(heading + used + free + super)); err != nil || port != 1 {
		t.Errorf("%d, %v", port, err)
	}
	for name, status := range map[string]string{
		"nothing": "", "none free": heading + used, "SuperSpeed only": heading + super,
		"cut": heading + "hs  0001", "no number": heading + "hs  port 004 000 00000000\n", "negative": heading + "hs  -1 004 000\n",
	} {
		if port, err := freePort([]byte(status)); err != errNoPort {
			t.Errorf("%s: %d, %v", name, port, err)
		}
	}
	if got := attachment(3, 7); got != "3 7 65537 2" {
		t.Error(got)
	}
}
