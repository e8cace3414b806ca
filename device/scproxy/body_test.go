package scproxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"smartkiosk/device/apdu"
)

// FuzzBody: no body makes the service panic or send a refused command.
func FuzzBody(f *testing.F) {
	p := page{session: "s1"}
	for _, commands := range [][]string{
		{"00A40000023F00", "00C0000010"},
		{"FFFF010400000001 05 04 A020008208 31323334 FFFFFFFF"},
		{"A02000820831323334FFFFFFFF"},
		{"00B00000000000"},
	} {
		f.Add([]byte(p.body(commands...)))
	}
	f.Add([]byte(`{"session":"s","apducommands":[{"apdu":null},{"apdu":7},{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r refs
		number, _ := r.issue()
		defer r.dropAll()
		body = bytes.Replace(body, []byte("00000001"), []byte(hex.EncodeToString(binary.BigEndian.AppendUint32(nil, number))), 1)
		if _, err := parseDisconnect(body); err != nil && !errors.Is(err, errBody) {
			t.Fatal(err)
		}
		request, err := parseTransmit(body)
		if err != nil {
			if !errors.Is(err, errBody) {
				t.Fatal(err)
			}
			return
		}
		commands, err := r.commands(request)
		known := errors.Is(err, errForbidden) || errors.Is(err, errPacket) || errors.Is(err, errUnknownRef) || errors.Is(err, apdu.ErrMalformed)
		if err != nil && !known {
			t.Fatal(err)
		}
		for i, c := range commands {
			packed := bytes.HasPrefix(request.Commands[i].APDU, packetMark)
			if permit(c, packed) != nil {
				t.Fatalf("%X %X", c.CLA, c.INS)
			}
		}
	})
}
