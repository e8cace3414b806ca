package cardsim_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"smartkiosk/device/cardsim"
)

// fuzzKinds are the kinds that process commands in their own way.
var fuzzKinds = []string{"valid", "two-pin", "applet", "t1"}

// FuzzTransmit sends any commands to a card of some kind, each with its length in one
// byte before it. No answer may be longer than the protocol allows, and no command may
// verify a PIN.
func FuzzTransmit(f *testing.F) {
	images := make(map[string]cardsim.Image)
	for name, kind := range newKinds(f) {
		images[name] = kind.Card.Image()
	}
	images["valid"] = newPKI(f).Cards["valid"].Image()
	for i, commands := range [][]string{
		{"\x00\xA4\x00\x00\x02\x3F\x00", "\x00\xA4\x04\x00\x0C\xA0\x00\x00\x00\x63PKCS-15", "\x00\xC0\x00\x00\x1A"},
		{"\x00\xA4\x08\x0C\x04\x50\x15\x45\x01", "\x00\xB0\x01\x00\x00", "\x00\xB0\x7F\xFF\x01"},
		{"\x00\x22\x41\xB6\x06\x80\x01\x02\x84\x01\x01", "\x00\x2A\x9E\x9A\x02\x30\x00"},
		{"\xA0\x20\x00\x82\x08" + "0000\xFF\xFF\xFF\xFF", "\x00\x24\x00\x82\x00", "\x00\x2C\x00\x82\x01\x00"},
		{"\x00\x22\x41\xB6\x03\x84\x01\x93", "\x10\x2A\x9E\x9A\x02\x00\x01", "\x00\x2A\x9E\x9A\x01\xFF"},
		{"\x00\xA4\x04\x00\x0C\xF2\x76\xA2\x88\xBC\xFB\xA6\x9D\x34\xF3\x10\x01", "\x00\x20\x00\x01"},
		{"\x00\xA4\x08\x00\x04\x50\x15\x45\x01\x00", "\x00\xB0\x00\x00\x00\x00\x00", "\x00\x88\x00\x00\x00\x00\x02\x30\x00\x00\x00"},
	} {
		var seed []byte
		for _, c := range commands {
			seed = append(append(seed, byte(len(c))), c...)
		}
		f.Add(byte(max(0, i-3)), seed)
	}
	f.Fuzz(func(t *testing.T, kind byte, script []byte) {
		if bytes.Contains(script, []byte("1234")) || bytes.Contains(script, []byte("\x12\x34\x56")) {
			return
		}
		name := fuzzKinds[int(kind)%len(fuzzKinds)]
		c, err := cardsim.New(images[name])
		if err != nil {
			t.Fatal(err)
		}
		most := 256 + 2
		if name == "t1" {
			most = 65536 + 2
		}
		c.PowerOn()
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			command := script[1 : 1+n]
			script = script[1+n:]
			if response := c.Transmit(command); len(response) < 2 || len(response) > most {
				t.Fatalf("%X answered by %d bytes", command, len(response))
			}
		}
		for _, reference := range []byte{0x01, 0x02, 0x81, 0x82, 0x83} {
			if sw := binary.BigEndian.Uint16(c.Transmit([]byte{0x00, 0x20, 0x00, reference})); sw == 0x9000 {
				t.Fatalf("PIN %X is verified", reference)
			}
		}
	})
}

// FuzzParse reads any file. If Parse accepts it as a card, it must accept it again
// after Marshal.
func FuzzParse(f *testing.F) {
	p := newPKI(f)
	for _, card := range []string{"sign-only", "mute"} {
		image := p.Cards[card].Image()
		delete(image.Keys, "authentication")
		if image.Mute {
			delete(image.Keys, "signature") // parsing keys takes most of the time
		}
		c, err := cardsim.New(image)
		if err != nil {
			f.Fatal(err)
		}
		b, err := c.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := cardsim.Parse(b)
		if err != nil {
			return
		}
		again, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cardsim.Parse(again); err != nil {
			t.Fatal(err)
		}
	})
}
