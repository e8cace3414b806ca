package tlv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"smartkiosk/device/apdu/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNext decodes objects of ISO 7816-4 (an FCI, an application template) with
// every form of length, and returns the bytes that follow them.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, in string
		tag      uint32
		value    string
		rest     string
	}{
		{"primitive", "8002015A", 0x80, "015A", ""},
		{"constructed, with a rest", "6F048002015A9000", 0x6F, "8002015A", "9000"},
		{"empty", "5300", 0x53, "", ""},
		{"two-byte tag", "7F490101", 0x7F49, "01", ""},
		{"three-byte tag", "5F81010101", 0x5F8101, "01", ""},
		{"length not in its shortest form", "8083000001AA", 0x80, "AA", ""},
		{"four length bytes", "808400000001AA00", 0x80, "AA", "00"},
	} {
		o, rest, err := tlv.Next(unhex(t, c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if o.Tag != c.tag || hex.EncodeToString(o.Value) != lower(c.value) || hex.EncodeToString(rest) != lower(c.rest) {
			t.Errorf("%s: tag %X value %X rest %X", c.name, o.Tag, o.Value, rest)
		}
		if got := append(bytes.Clone(o.Raw), rest...); !bytes.Equal(got, unhex(t, c.in)) {
			t.Errorf("%s: raw and rest make %X", c.name, got)
		}
	}
}

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }

// TestBadInput names the error that each bad object gets: ErrTruncated
// where more bytes could help, otherwise ErrMalformed.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", tlv.ErrTruncated},
		{"tag without length", "80", tlv.ErrTruncated},
		{"tag cut", "7F", tlv.ErrTruncated},
		{"length cut", "8082 01", tlv.ErrTruncated},
		{"value cut", "80 02 01", tlv.ErrTruncated},
		{"ten megabytes promised", "3083 989680 00", tlv.ErrTruncated},
		{"tag of four bytes", "5F818201 00", tlv.ErrMalformed},
		{"tag without an end", "5FFFFFFF FF", tlv.ErrMalformed},
		{"indefinite length", "3080 0000", tlv.ErrMalformed},
		{"five length bytes", "8085 0000000001 AA", tlv.ErrMalformed},
		{"length over 2 GB", "8084 FFFFFFFF", tlv.ErrMalformed},
	} {
		in := unhex(t, string(bytes.ReplaceAll([]byte(c.in), []byte(" "), nil)))
		if _, _, err := tlv.Next(in); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// TestSize shows that the header of an object is enough to know how many bytes
// to request from the card.
func TestSize(t *testing.T) {
	if n, err := tlv.Size(unhex(t, "30820640")); err != nil || n != 4+0x640 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := tlv.Size(unhex(t, "3082")); !errors.Is(err, tlv.ErrTruncated) {
		t.Errorf("half a header: %v", err)
	}
}

func TestObjectsSkipPadding(t *testing.T) {
	var tags []uint32
	for o, err := range tlv.Objects(unhex(t, "00FF8001AA0000FF8101BBFFFF")) {
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, o.Tag)
	}
	if len(tags) != 2 || tags[0] != 0x80 || tags[1] != 0x81 {
		t.Errorf("tags %X", tags)
	}
}

func TestObjectsEndAtAnError(t *testing.T) {
	var seen int
	var last error
	for _, err := range tlv.Objects(unhex(t, "8001AA8005BB")) {
		seen, last = seen+1, err
	}
	if seen != 2 || !errors.Is(last, tlv.ErrTruncated) {
		t.Errorf("%d objects, %v", seen, last)
	}
}

func TestFind(t *testing.T) {
	fci := unhex(t, "6F0C81020100A5068801FF820138")
	if v, ok := tlv.Find(fci, 0x6F, 0xA5, 0x82); !ok || !bytes.Equal(v, []byte{0x38}) {
		t.Errorf("got %X, %v", v, ok)
	}
	if v, ok := tlv.Find(fci, 0x6F, 0x80); ok {
		t.Errorf("found %X under a tag that is not there", v)
	}
	if v, ok := tlv.Find(unhex(t, "6F0580040102"), 0x6F); ok {
		t.Errorf("found %X in a truncated object", v)
	}
}

// TestAppend checks every length form against its golden bytes.
func TestAppend(t *testing.T) {
	for _, c := range []struct {
		tag    uint32
		n      int
		header string
	}{
		{0x80, 0, "8000"}, {0x7F49, 127, "7f497f"}, {0x5F8101, 128, "5f81018180"},
		{0x30, 256, "30820100"}, {0x30, 65536, "308400010000"},
	} {
		got := tlv.Append(nil, c.tag, make([]byte, c.n)...)
		if h := hex.EncodeToString(got[:len(got)-c.n]); h != c.header {
			t.Errorf("%d bytes under %X: header %s, want %s", c.n, c.tag, h, c.header)
		}
	}
}

// FuzzNext checks that a decoded object lies inside the input, encodes to an
// equal object, and has the length that Size returns.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"8002015A", "6F048002015A9000", "5F8101018001", "8083000001AA", "3080", "00FF30", "7F4984FFFFFFFF"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, sizeErr := tlv.Size(b)
		o, rest, err := tlv.Next(b)
		for range tlv.Objects(b) { // must end
		}
		if err != nil {
			if !errors.Is(err, tlv.ErrMalformed) && !errors.Is(err, tlv.ErrTruncated) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		if sizeErr != nil || size != len(o.Raw) || len(o.Raw)+len(rest) != len(b) {
			t.Fatalf("size %d (%v), raw %d, rest %d of %d", size, sizeErr, len(o.Raw), len(rest), len(b))
		}
		again, left, err := tlv.Next(tlv.Append(nil, o.Tag, o.Value...))
		if err != nil || len(left) != 0 || again.Tag != o.Tag || !bytes.Equal(again.Value, o.Value) {
			t.Fatalf("written back: %X %X, %v", again.Tag, again.Value, err)
		}
	})
}
