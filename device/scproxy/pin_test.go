package scproxy

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnscramble checks packets against vectors. The first two are from the tests of
// magnuswatn/scproxy. The others are calculated by hand: 31 ^ 00 ^ 04 = 35.
func TestUnscramble(t *testing.T) {
	for _, c := range []struct {
		ref                   uint32
		data, packet, command string
	}{
		{1119781658, "4F4EAAADF30F7B5220FF31743617EBFC", "FFFF0104 42BE831A 05 04 A020008208 8A73E8CF FFFFFFFF", "A020008208 36323930 FFFFFFFF"},
		{944398877, "0BA339DD5B602F8BEDA55F25A8CF4D6E", "FFFF0104 384A621D 05 04 A020008208 66F12F66 FFFFFFFF", "A020008208 36323930 FFFFFFFF"},
		{1, "000102030405060708090A0B0C0D0E0F", "FFFF0104 00000001 05 04 0020008104 31313131", "0020008104 35353535"},
		{1, "000102030405060708090A0B0C0D0E0F", "FFFF0104 00000001 05 08 0020008108 3030303030303030", "0020008108 3838383838383838"},
		{1, "000102030405060708090A0B0C0D0E0F", "FFFF0104 00000001 09 04 0024008108FFFFFFFF 31313131", "0024008108FFFFFFFF 35353535"},
	} {
		p, err := parsePacket(unhex(t, c.packet))
		if err != nil {
			t.Errorf("%s: %v", c.packet, err)
			continue
		}
		got := p.unscramble((*[scrambleSize]byte)(unhex(t, c.data)))
		if p.ref != c.ref || hex.EncodeToString(got) != hex.EncodeToString(unhex(t, c.command)) {
			t.Errorf("%s: ref %d, %X", c.packet, p.ref, got)
		}
	}
}

func TestParsePacketRefuses(t *testing.T) {
	for name, c := range map[string]string{
		"nothing":                        "",
		"the mark alone":                 "FFFF0104",
		"no lengths":                     "FFFF0104 00000001",
		"another mark":                   "FFFF0204 00000001 05 04 A020008208 31313131 FFFFFFFF",
		"command of four bytes":          "FFFF0104 00000001 04 04 A0200082 31313131",
		"command longer than Lc":         "FFFF0104 00000001 09 04 A02000820431313131 31313131",
		"PIN of no byte":                 "FFFF0104 00000001 05 00 A020008208 FFFFFFFFFFFFFFFF",
		"PIN of nine bytes":              "FFFF0104 00000001 05 09 A020008209 313131313131313131",
		"PIN cut":                        "FFFF0104 00000001 05 04 A020008208 3131",
		"command cut":                    "FFFF0104 00000001 05 04 A02000",
		"less than Lc":                   "FFFF0104 00000001 05 04 A020008208 31313131 FFFFFF",
		"more than Lc: a command behind": "FFFF0104 00000001 05 04 A020008208 31313131 FFFFFFFF 00",
	} {
		if _, err := parsePacket(unhex(t, c)); !errors.Is(err, errPacket) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefsAreForgotten: a ref is valid once and for two minutes, and the oldest one
// is removed when there are too many. A removed ref is wiped.
func TestRefsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r refs
		packetOf := func(number uint32) packet {
			p, err := parsePacket(unhex(t, "FFFF0104 00000000 05 04 A020008208 31313131 FFFFFFFF"))
			if err != nil {
				t.Fatal(err)
			}
			p.ref = number
			return p
		}
		gone := func(why string, number uint32, held *ref) {
			t.Helper()
			if _, err := r.unscramble(packetOf(number)); !errors.Is(err, errUnknownRef) {
				t.Errorf("%s: %v", why, err)
			}
			if held.data != [scrambleSize]byte{} {
				t.Errorf("%s: its data is not wiped", why)
			}
		}
		used, data := r.issue()
		held := r.held[0]
		command, err := r.unscramble(packetOf(used))
		if err != nil || command[5] != 0x31^data[0]^data[4] {
			t.Errorf("%X, %v", command, err)
		}
		gone("used before", used, held)
		oldest, _ := r.issue()
		held = r.held[0]
		for range maxRefs {
			r.issue()
		}
		gone("the oldest of too many", oldest, held)
		r.dropAll()
		young, _ := r.issue()
		old, _ := r.issue()
		held = r.held[1]
		time.Sleep(refLife - time.Second)
		if _, err := r.unscramble(packetOf(young)); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		gone("after its life", old, held)
		r.issue()
		r.dropAll()
		if len(r.held) != 0 {
			t.Error("dropAll left some")
		}
	})
}

// FuzzPacket: what is taken for a packet becomes the one command that its
// header announces, and nothing is read beyond it.
func FuzzPacket(f *testing.F) {
	f.Add(unhex(f, "FFFF010442BE831A0504A0200082088A73E8CFFFFFFFFF"))
	f.Add(unhex(f, "FFFF0104000000010508002000810830303030303030309000"))
	f.Add(unhex(f, "FFFF0104"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePacket(b)
		if err != nil {
			return
		}
		var data [scrambleSize]byte
		command := p.unscramble(&data)
		if len(command) != 5+int(command[4]) || len(command) > len(b)-10 {
			t.Fatalf("%X became %X", b, command)
		}
		if permit(p.command(), true) == nil && command[1] != insVerify {
			t.Fatalf("%X carries a PIN elsewhere", b)
		}
	})
}
