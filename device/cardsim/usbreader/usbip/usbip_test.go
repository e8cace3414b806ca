package usbip_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
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

const (
	// The example of usbip_protocol.rst, "captured from wire".
	interruptIn  = "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 00000000 00000000"
	interruptOut = "00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff 00000000 00000004 00000000 00000000"
	payload      = "ffffffff860008a784ce5ae212376300 00000000000000000000000000000000 00000000000000000000000000000000 00000000000000000000000000000000"
	// In that example start_frame (ffffffff) and number_of_packets (0) are swapped,
	// compared with the document's own tables and with later kernels.
	returnOut = "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 00000000 ffffffff 00000000 00000000 00000000"
	returnIn  = "00000003 00000d05 00000000 00000000 00000000 00000000 00000040 00000000 ffffffff 00000000 00000000 00000000"

	control    = "00000001 00000007 00020003 00000001 00000000 00000200 00000012 00000000 ffffffff 00000000 80060001 00001200"
	unlink     = "00000002 00000008 00020003 00000000 00000000 00000d05 00000000 00000000 00000000 00000000 00000000 00000000"
	unlinked   = "00000004 00000008 00000000 00000000 00000000 ffffff98 00000000 00000000 00000000 00000000 00000000 00000000"
	unlinkLate = "00000004 00000008 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
	stalled    = "00000003 00000007 00000000 00000000 00000000 ffffffe0 00000000 00000000 ffffffff 00000000 00000000 00000000"
)

func TestReadRequest(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want usbip.Request
	}{
		"interrupt in":  {interruptIn, usbip.Request{Sequence: 0xD05, In: true, Endpoint: 1, Length: 64}},
		"interrupt out": {interruptOut + payload, usbip.Request{Sequence: 0xD06, Endpoint: 1, Data: unhex(t, payload)}},
		"control": {control, usbip.Request{Sequence: 7, In: true, Length: 18,
			Setup: [8]byte{0x80, 0x06, 0x00, 0x01, 0x00, 0x00, 0x12, 0x00}}},
		"unlink": {unlink, usbip.Request{Sequence: 8, Unlink: true, Target: 0xD05}},
	} {
		r := bytes.NewReader(unhex(t, c.in))
		got, err := usbip.ReadRequest(r)
		if err != nil || !reflect.DeepEqual(got, c.want) || r.Len() != 0 {
			t.Errorf("%s: %+v, %v, %d bytes left", name, got, err, r.Len())
		}
	}
}

func TestReturn(t *testing.T) {
	in, out := usbip.Request{Sequence: 0xD05}, usbip.Request{Sequence: 0xD06}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"in":              {in.Return(usbip.OK, 0, unhex(t, payload)), returnIn + payload},
		"out":             {out.Return(usbip.OK, 64, nil), returnOut},
		"stalled":         {usbip.Request{Sequence: 7}.Return(usbip.Stalled, 0, nil), stalled},
		"unlinked":        {usbip.Request{Sequence: 8}.ReturnUnlink(usbip.Unlinked), unlinked},
		"unlink too late": {usbip.Request{Sequence: 8}.ReturnUnlink(usbip.OK), unlinkLate},
	} {
		if !bytes.Equal(c.got, unhex(t, c.want)) {
			t.Errorf("%s: %X", name, c.got)
		}
	}
}

func TestReadRequestRefuses(t *testing.T) {
	change := func(s string, at int, word string) string {
		words := strings.Fields(s)
		words[at] = word
		return strings.Join(words, "")
	}
	for name, c := range map[string]struct {
		in   string
		want error
		says string
	}{
		"nothing":           {"", io.EOF, ""},
		"header cut":        {interruptIn[:90], io.ErrUnexpectedEOF, ""},
		"data cut":          {interruptOut + payload[:16], io.ErrUnexpectedEOF, ""},
		"no data":           {interruptOut, io.ErrUnexpectedEOF, ""},
		"command":           {change(interruptIn, 0, "00000005"), usbip.ErrMalformed, "command 5"},
		"a reply":           {returnIn, usbip.ErrMalformed, "command 3"},
		"before attachment": {change(interruptIn, 0, "01118003"), usbip.ErrMalformed, "command 17924099"},
		"direction":         {change(interruptIn, 3, "00000002"), usbip.ErrMalformed, "direction 2"},
		"endpoint":          {change(interruptIn, 4, "00000010"), usbip.ErrMalformed, "endpoint 16"},
		"isochronous":       {change(interruptIn, 8, "00000008"), usbip.ErrMalformed, "8 isochronous packets"},
		"too long out":      {change(interruptOut, 6, "00010001"), usbip.ErrMalformed, "transfer of 65537 bytes"},
		"too long in":       {change(interruptIn, 6, "80000000"), usbip.ErrMalformed, "transfer of 2147483648 bytes"},
	} {
		if _, err := usbip.ReadRequest(bytes.NewReader(unhex(t, c.in))); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadRequest checks that a request is read with exactly its header and data, and
// that its fields are in their ranges.
func FuzzReadRequest(f *testing.F) {
	for _, s := range []string{interruptIn, interruptOut + payload, control, unlink, returnIn} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		q, err := usbip.ReadRequest(r)
		if err != nil {
			return
		}
		if read := len(b) - r.Len(); read != 48+len(q.Data) {
			t.Fatalf("read %d bytes for %d of data", read, len(q.Data))
		}
		if q.Endpoint < 0 || q.Endpoint > 15 || q.Length < 0 || q.In && q.Data != nil || q.Unlink && (q.In || q.Data != nil) {
			t.Fatalf("%+v", q)
		}
	})
}
