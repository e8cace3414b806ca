package smartkort

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func object(t testing.TB, s string) tlv.Object {
	t.Helper()
	o, _, err := tlv.Next(unhex(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Golden objects, each with every optional element, whether it is skipped or read.
const (
	goldenODF = "A00A3008 04063F0050154402" + "A10A3008 04063F0050154407" + "A40A3008 04063F0050154403" +
		"A50A3008 04063F0050154404" + "0000" + "A80A3008 04063F0050154401" + "FFFF"
	goldenTokenInfo   = "304B0201010402ABCD0C034D616B80054C6162656C0302064030023000A103020101A216301402010702010105000302064006032A0304020102A511180F32303236303133313132303030305A"
	goldenKey         = "303B300F0C034B657903020780040101020101301A040145030205200101FF030204B0020200FEA106020107020108A10C300A30040402400102020800"
	goldenCertificate = "302330090C044365727403010030090401450101FF020101A10B3009300704024501800110"
	goldenPIN         = "304A300C0C0350494E030206C00401023003040101A13530330302024C0A0101020104020108020106800200820401FF180F32303236303133313132303030305A300904043F005015020100"
	goldenFCI         = "6F128201018002004083023F008405A000000063"
	goldenDIR         = "611F 4F0CA000000063504B43532D3135 5009 536D6172746B6F7274 51043F005015" + "610A 4F08A000000308000010"
)

func TestDecodeODF(t *testing.T) {
	got, skipped, err := decodeODF(unhex(t, goldenODF))
	at := func(id byte) []Path { return []Path{{File: []byte{0x3F, 0x00, 0x50, 0x15, 0x44, id}}} }
	if want := (odf{privateKeys: at(2), certificates: at(3), authorities: at(4), authObjects: at(1)}); err != nil || skipped != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeTokenInfo(t *testing.T) {
	got, err := decodeTokenInfo(unhex(t, goldenTokenInfo))
	want := TokenInfo{
		Serial: []byte{0xAB, 0xCD}, Manufacturer: "Mak", Label: "Label", LastUpdate: "20260131120000Z",
		algorithms: []algorithm{{reference: 7, mechanism: rsaPKCS, signs: true, card: 2}},
	}
	want.fingerprint = got.fingerprint
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// Another card of the kind: other serial number, other date.
	other, err := decodeTokenInfo(unhex(t, strings.NewReplacer("ABCD", "ABCE", "32303236", "32303237").Replace(goldenTokenInfo)))
	if err != nil || !bytes.Equal(other.fingerprint, got.fingerprint) {
		t.Errorf("cards of one kind look different: %X, %v", other.fingerprint, err)
	}
	if other, err = decodeTokenInfo(unhex(t, strings.Replace(goldenTokenInfo, "4C6162656C", "4C6162656D", 1))); err != nil || bytes.Equal(other.fingerprint, got.fingerprint) {
		t.Errorf("another label looks the same: %v", err)
	}
}

func TestDecodeKey(t *testing.T) {
	got, err := decodeKey(object(t, goldenKey))
	want := Key{
		ID: []byte{0x45}, Label: "Key", Reference: 0xFE, Path: Path{File: []byte{0x40, 0x01}}, Bits: 2048,
		Usage: Usage{Sign: true}, AuthID: []byte{1}, UserConsent: 1, algorithms: []int{7, 8}, kind: keyRSA,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeCertificate(t *testing.T) {
	got, err := decodeCertificate(object(t, goldenCertificate))
	want := certificateObject{id: []byte{0x45}, label: "Cert", authority: true, path: Path{File: []byte{0x45, 0x01}, Length: 0x10}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = decodeCertificate(object(t, "301430003003040145A10B3009A00730050203010203"))
	if err != nil || hex.EncodeToString(got.direct) != "30050203010203" {
		t.Errorf("in the directory itself: %X, %v", got.direct, err)
	}
}

func TestDecodePIN(t *testing.T) {
	got, err := decodePIN(object(t, goldenPIN))
	want := PIN{
		ID: []byte{1}, Label: "PIN", Reference: 0x82, Encoding: ASCII, MinLength: 4, MaxLength: 6, StoredLength: 8,
		Pad: 0xFF, NeedsPadding: true, Local: true, Path: Path{File: []byte{0x3F, 0x00, 0x50, 0x15}}, unblockedBy: []byte{2},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// Omitted: reference 0, as many digits as are stored, FF.
	got, err = decodePIN(object(t, "301830003003040102A10F300D030201020A0100020104020106"))
	want = PIN{ID: []byte{2}, Encoding: BCD, MinLength: 4, MaxLength: 12, StoredLength: 6, Pad: 0xFF, Unblocking: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFileSize(t *testing.T) {
	for in, want := range map[string]int{
		goldenFCI: 0x40, "62 04 8102 0123": 0x123, "6F 03 8001 10": 0x10, "": -1, "6F 04 8204 0138": -1, "90 00": -1, "6F 03 8205 01": -1,
	} {
		if got := fileSize(unhex(t, in)); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
}

func TestDecodeDIR(t *testing.T) {
	got := decodeDIR(unhex(t, goldenDIR))
	want := []application{
		{How: "path in EF.DIR", Path: standardPath},
		{How: "AID in EF.DIR", AID: unhex(t, "A000000308000010")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestBadObjects checks that an object that violates the standard is ErrMalformed,
// and that the error says what is wrong.
func TestBadObjects(t *testing.T) {
	key := func(b []byte) error { return each(b, func(o tlv.Object) error { _, err := decodeKey(o); return err }) }
	cert := func(b []byte) error {
		return each(b, func(o tlv.Object) error { _, err := decodeCertificate(o); return err })
	}
	pin := func(b []byte) error { return each(b, func(o tlv.Object) error { _, err := decodePIN(o); return err }) }
	directory := func(b []byte) error { _, _, err := decodeODF(b); return err }
	token := func(b []byte) error { _, err := decodeTokenInfo(b); return err }
	for _, c := range []struct {
		name, in, want string
		decode         func([]byte) error
	}{
		{"empty object directory", "", "names no keys", directory},
		{"directory of other kinds only", "A7063004 04024407", "names no keys", directory},
		{"directory entry without a path", "A0023000", "entry 1: ", directory},
		{"directory entry cut", "A00A3008 0406", "truncated", directory},
		{"path of a negative offset", "A0093007 04024402 0201FF", "offset -1", directory},
		{"path whose offset has 5 bytes", "A00D300B 04024402 02050000000001", "integer of 5 bytes", directory},
		{"card information of another type", "0401AA", "tag 30", token},
		{"algorithm without operations", "3012020100030100A20A30080201010201010500", "tag 03", token},
		{"key without attributes", "3002 3000", "tag 30", key},
		{"key without an id", "3004 3000 3000", "tag 04", key},
		{"key without usage", "3007 3000 3003 040145", "tag 03", key},
		{"key with a cut label", "3006 3003 0C05 41 00", "truncated", key},
		{"certificate without a value", "3007 3000 3003 040145", "tag A1", cert},
		{"certificate behind a URL", "300F30003003040145A106300416026162", "tag 30", cert},
		{"PIN without attributes", "3004 3000 3000", "tag A1", pin},
		{"PIN of 300 bytes", "301930003003040101A110300E030201020A01010201040202012C", "number 300", pin},
		{"PIN of less than none", "301830003003040101A10F300D030201020A01010201FF020108", "number -1", pin},
	} {
		err := c.decode(unhex(t, c.in))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func each(b []byte, decode func(tlv.Object) error) error {
	for o, err := range tlv.Objects(b) {
		if err != nil {
			return err
		}
		if err := decode(o); err != nil {
			return err
		}
	}
	return nil
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"Underskrift": "Underskrift", "  Bør  ": "Bør", "a\x00b\x1b[31m\xff": "ab[31m", strings.Repeat("x", 300): strings.Repeat("x", 255),
	} {
		if got := label([]byte(in)); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// FuzzObjects passes any bytes to every decoder of this package. No decoder may
// panic, and an error is always ErrMalformed.
func FuzzObjects(f *testing.F) {
	for _, s := range []string{goldenODF, goldenTokenInfo, goldenKey, goldenCertificate, goldenPIN, goldenFCI, goldenDIR} {
		f.Add(unhex(f, s))
	}
	f.Add(dataObject(unhex(f, goldenCertificate), 0x00))
	f.Add(dataObject(compressed(f, unhex(f, goldenCertificate)), 0x01))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(err error) {
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Fatalf("unnamed error: %v", err)
			}
		}
		_, _, err := decodeODF(b)
		check(err)
		_, err = decodeTokenInfo(b)
		check(err)
		_, err = decodeDataObject(b)
		check(err)
		if size := fileSize(b); size < -1 || size > 1<<24 {
			t.Fatalf("size %d", size)
		}
		for _, a := range decodeDIR(b) {
			if len(a.AID) > 16 || len(a.Path) > 16 || a.AID == nil && len(a.Path) < 4 {
				t.Fatalf("%+v", a)
			}
		}
		if end, _, err := objectsEnd(b); err == nil && end > len(b) {
			t.Fatalf("end %d of %d", end, len(b))
		}
		BuiltinProfiles.For(b, nil)
		for o, err := range tlv.Objects(b) {
			if err != nil {
				break
			}
			_, err = decodeKey(o)
			check(err)
			_, err = decodeCertificate(o)
			check(err)
			pin, err := decodePIN(o)
			check(err)
			if err == nil {
				if block, _ := pin.block([]byte("1234")); len(block) > apdu.MaxShortData {
					t.Fatalf("PIN block %X of %+v", block, pin)
				}
			}
		}
	})
}
