package apdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var zeros = strings.Repeat("00", 256)

// TestCommandForms encodes and decodes the seven forms of ISO 7816-3 §12.1.3.
func TestCommandForms(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  apdu.Command
		want string
	}{
		{"case 1", apdu.Command{CLA: 0xA0, INS: 0x20, P2: 0x82}, "A0200082"},
		{"case 2 short", apdu.Command{INS: 0xB0, P1: 1, Le: 2}, "00B0010002"},
		{"case 2 short, 256 bytes", apdu.Command{INS: 0xB0, Le: 256}, "00B0000000"},
		{"case 3 short", apdu.Command{INS: 0xA4, Data: []byte{0x3F, 0}}, "00A40000023F00"},
		{"case 4 short", apdu.Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: []byte{1}, Le: 256}, "002A9E9A010100"},
		{"case 2 extended", apdu.Command{INS: 0xB0, Le: 65536}, "00B00000000000"},
		{"case 3 extended", apdu.Command{INS: 0x2A, Data: make([]byte, 256)}, "002A0000000100" + zeros},
		{"case 4 extended", apdu.Command{INS: 0x2A, Data: make([]byte, 256), Le: 257}, "002A0000000100" + zeros + "0101"},
	} {
		got, err := c.cmd.Bytes()
		if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %X, %v", c.name, got, err)
			continue
		}
		back, err := apdu.Parse(got)
		if err != nil || back.CLA != c.cmd.CLA || back.Le != c.cmd.Le || !bytes.Equal(back.Data, c.cmd.Data) {
			t.Errorf("%s read back: %+v, %v", c.name, back, err)
		}
	}
}

func TestBadCommands(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "three bytes": "00A400", "short data cut": "00A4000002 3F", "short data and more": "00A4000001 3F 00 00",
		"half an extended Le": "00B00000 00 01", "extended Lc of 0": "00B00000 00 0000 00", "extended data cut": "00B00000 00 0002 AA",
	} {
		if c, err := apdu.Parse(unhex(t, in)); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for _, c := range []apdu.Command{{Le: -1}, {Le: 65537}, {Data: make([]byte, 65536)}} {
		if _, err := c.Bytes(); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("Nc %d, Ne %d: %v", len(c.Data), c.Le, err)
		}
	}
	if _, err := apdu.ParseResponse([]byte{0x90}); !errors.Is(err, apdu.ErrMalformed) {
		t.Errorf("half a status: %v", err)
	}
}

func TestStatus(t *testing.T) {
	r, err := apdu.ParseResponse([]byte{1, 2, 0x63, 0xC2})
	if tries, ok := r.SW.Tries(); err != nil || !ok || tries != 2 || len(r.Data) != 2 {
		t.Errorf("%v %v, %v", r, tries, err)
	}
	if n, ok := apdu.Status(0x6100).More(); !ok || n != 256 {
		t.Errorf("6100: %d, %v", n, ok)
	}
	if n, ok := apdu.Status(0x6C10).RightLe(); !ok || n != 16 {
		t.Errorf("6C10: %d, %v", n, ok)
	}
	if _, ok := apdu.OK.Tries(); ok {
		t.Error("9000 has tries")
	}
	for sw, want := range map[apdu.Status]string{
		apdu.AuthBlocked: "SW 6983 (authentication method blocked)", 0x63C2: "SW 63C2 (verification failed, 2 tries left)", 0x6F42: "SW 6F42",
	} {
		if sw.Error() != want {
			t.Errorf("got %q, want %q", sw.Error(), want)
		}
	}
}

// FuzzParse checks that a decoded command encodes to an equal command.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"A0200082", "00B0000000", "00A40000023F00", "002A9E9A010100", "00B00000000000", "00B00000000001AA0101"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := apdu.Parse(b)
		if err != nil {
			return
		}
		out, err := c.Bytes()
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", c, err)
		}
		again, err := apdu.Parse(out)
		if err != nil || again.Le != c.Le || !bytes.Equal(again.Data, c.Data) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}
