package recording

import (
	"bytes"
	"encoding/hex"
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

// TestReplace compares what a card said with what is kept of it. … in want stands for
// a pseudonym.
func TestReplace(t *testing.T) {
	for name, c := range map[string]struct{ said, want string }{
		"object directory":                  {"A0 06 30 04 04 02 44 01 A4 06 30 04 04 02 44 02 FF FF", "A0 06 30 04 04 02 44 01 A4 06 30 04 04 02 44 02 FF FF"},
		"absolute path":                     {"30 08 04 06 3F 00 50 15 44 01", "30 08 04 06 3F 00 50 15 44 01"},
		"selected path":                     {"30 06 04 04 12 34 56 78", "30 06 04 04 12 34 56 78"},
		"other octets":                      {"30 06 04 04 DE AD BE EF", "30 06 04 04 …………"},
		"label":                             {"30 0A 0C 04 4B 61 72 69 04 02 01 02", "30 0A 0C 04 58 58 58 58 04 02 01 02"},
		"short text":                        {"30 04 13 02 4E 4F", "30 04 13 02 58 58"},
		"text like a selected path":         {"30 06 0C 04 12 34 56 78", "30 06 0C 04 58 58 58 58"},
		"numbers":                           {"30 0D 02 01 05 02 02 08 00 02 04 00 98 76 54", "30 0D 02 01 05 02 02 08 00 02 04 00 D5 55 55"},
		"exponent":                          {"30 05 02 03 01 00 01", "30 05 02 03 01 00 01"},
		"flags":                             {"30 05 03 03 06 20 40", "30 05 03 03 06 20 40"},
		"bits":                              {"30 06 03 04 00 11 22 33", "30 06 03 04 00 55 55 55"},
		"number in octets":                  {"30 07 04 05 02 03 11 22 33", "30 07 04 05 02 03 55 55 55"},
		"key usage in a certificate":        {"30 0B 30 09 A0 03 02 01 02 03 02 05 A0", "30 0B 30 09 A0 03 02 01 02 03 02 05 A0"},
		"short serial number":               {"30 0B 30 09 A0 03 02 01 02 02 02 12 34", "30 0B 30 09 A0 03 02 01 02 02 02 55 55"},
		"times":                             {"30 20 17 0D 32 34 30 35 31 37 31 32 33 34 35 36 5A 18 0F 32 30 32 34 30 35 31 37 31 32 33 34 35 36 5A", "30 20 17 0D 30 30 30 31 30 31 30 30 30 30 30 30 5A 18 0F 32 30 30 30 30 31 30 31 30 30 30 30 30 30 5A"},
		"BMPString":                         {"30 06 1E 04 00 4B 00 61", "30 06 1E 04 00 58 00 58"},
		"OBJECT IDENTIFIER":                 {"30 05 06 03 55 04 03", "30 05 06 03 55 04 03"},
		"application":                       {"61 0C 4F 05 A0 00 00 00 01 50 03 4B 61 72", "61 0C 4F 05 A0 00 00 00 01 50 03 58 58 58"},
		"implicit label":                    {"30 05 80 03 4B 61 72", "30 05 80 03 58 58 58"},
		"file control information":          {"6F 0A 80 02 01 00 83 02 45 01 85 00", "6F 0A 80 02 01 00 83 02 45 01 85 00"},
		"beginning of a certificate":        {"30 82 03 45", "30 82 03 45"},
		"a value that is cut off":           {"30 82 03 45 30 82 02 00 02 05 01 02", "30 82 03 45 30 82 02 00 02 05 55 55"},
		"a header that is cut off":          {"30 82 03 45 30 82", "30 82 03 45 55 55"},
		"digits":                            {"39 35 37 38 34 30 35 30 31 30 30 30 30 31", "55 55 55 55 55 55 55 55 55 55 55 55 55 55"},
		"digits that start like a SEQUENCE": {"30 39 30 35 37 38", "55 55 55 55 55 55"},
		"a name":                            {"4F 6C 61 20 4E 6F 72 64 6D 61 6E 6E", "55 55 55 55 55 55 55 55 55 55 55 55"},
		"a primitive object alone":          {"5A 04 12 34 56 78", "55 55 55 55 55 55"},
		"a name after an object":            {"30 00 4B 61 72 69", "30 00 55 55 55 55"},
		"a SEQUENCE that is not one":        {"30 04 4B 61 72 69", "55 55 55 55 55 55"},
		"nothing":                           {"", ""},
		"padding":                           {"FF FF 00", "FF FF 00"},
	} {
		said := unhex(t, c.said)
		a := newAnonymiser()
		a.selected = [][]byte{unhex(t, "3F0012345678")}
		a.replace(said)
		want := strings.ReplaceAll(c.want, " ", "")
		got := strings.ToUpper(hex.EncodeToString(said))
		if i := strings.Index(want, "…"); i >= 0 {
			n := 2 * strings.Count(want, "…")
			if strings.Contains(got, "DEADBEEF") {
				t.Errorf("%s: %s", name, got)
			}
			got = got[:i] + strings.Repeat("…", n/2) + got[i+n:]
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// TestPseudonyms: equal identifiers stay equal within a recording and differ between
// recordings.
func TestPseudonyms(t *testing.T) {
	const id = "30 16 04 14 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 00 11 22 33"
	a, b := newAnonymiser(), newAnonymiser()
	first, again, other := unhex(t, id), unhex(t, id), unhex(t, id)
	a.replace(first)
	a.replace(again)
	b.replace(other)
	if !bytes.Equal(first, again) || bytes.Equal(first, other) || bytes.Equal(first, unhex(t, id)) || len(first) != 24 {
		t.Errorf("%X\n%X\n%X", first, again, other)
	}
}

// TestFiles: parts of a file are replaced as one file. Data after a gap is replaced
// as a whole.
func TestFiles(t *testing.T) {
	record := func(steps ...string) (kept []string) {
		s := Session{}
		for i := 0; i < len(steps); i += 2 {
			c, err := apdu.Parse(unhex(t, steps[i]))
			if err != nil {
				t.Fatal(err)
			}
			r, err := apdu.ParseResponse(unhex(t, steps[i+1]))
			if err != nil {
				t.Fatal(err)
			}
			s.add(c, r, true)
		}
		for _, step := range s.steps(newAnonymiser()) {
			kept = append(kept, strings.ToUpper(hex.EncodeToString(step.Response)))
		}
		return kept
	}
	for name, c := range map[string]struct{ steps, want []string }{
		"two parts": {
			[]string{"00A40000024501", "9000", "00B0000004", "300A0C084B619000", "00B0000606", "7269612072659000"},
			[]string{"9000", "300A0C0858589000", "5858585858589000"}},
		"the second part first": {
			[]string{"00A40000024501", "9000", "00B0000404", "4B6172699000", "00B0000004", "30060C049000"},
			[]string{"9000", "585858589000", "30060C049000"}},
		"a gap": {
			[]string{"00A40000024501", "9000", "00B0000004", "30820C049000", "00B0000804", "300202019000"},
			[]string{"9000", "30820C049000", "555555559000"}},
		"two files of one name": {
			[]string{"00A40000024501", "9000", "00B0000000", "3003020101" + "9000", "00A40000024501", "9000", "00B0000000", "30040C024B61" + "9000"},
			[]string{"9000", "30030201019000", "9000", "30040C0258589000"}},
		"by short identifier": {
			[]string{"00B0810004", "30060C049000", "00B0000404", "4B6172699000"},
			[]string{"30060C049000", "585858589000"}},
		"more data fetched by the page": {
			[]string{"00B2010400", "6104", "00C0000004", "30020C009000", "0084000008", "6108", "00C0000008", "1122334455667788" + "9000"},
			[]string{"6104", "30020C009000", "6108", "00000000000000009000"}},
		"unknown instruction": {[]string{"80F2000000", "4B6172699000"}, []string{"000000009000"}},
	} {
		if got := record(c.steps...); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// FuzzReplace: the length stays, text disappears, and what is replaced has no value of
// more than 2 bytes that was there before.
func FuzzReplace(f *testing.F) {
	for _, s := range []string{"300A0C084B61726920726561", "30820345308202000205", "393537383430", "61074F05A000000001", "30030201"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		kept := bytes.Clone(said)
		newAnonymiser().replace(kept)
		if len(kept) != len(said) {
			t.Fatal("another length")
		}
		if len(said) > 2 && !constructed(said[0]) && said[0] != 0 && said[0] != 0xFF && !bytes.Equal(kept, bytes.Repeat([]byte{filler}, len(kept))) {
			t.Fatalf("%X is no constructed object, but kept as %X", said, kept)
		}
		for o, err := range tlv.Objects(said) {
			if err != nil || !constructed(o.Raw[0]) {
				break
			}
			if label, ok := tlv.Find(o.Raw, o.Tag, 0x0C); ok && len(label) > 3 && bytes.Count(label, []byte("X")) == 0 && bytes.Contains(kept, label) {
				t.Fatalf("%X is kept in %X", label, kept)
			}
		}
	})
}

// TestLongPseudonym: the whole of a long OCTET STRING is replaced, and two that differ
// in one byte differ in their beginning.
func TestLongPseudonym(t *testing.T) {
	value := bytes.Repeat([]byte{0xAA}, 1<<15)
	first := tlv.Append(nil, tagSequence, tlv.Append(nil, tagOctetString, value...)...)
	value[len(value)-1]++
	second := tlv.Append(nil, tagSequence, tlv.Append(nil, tagOctetString, value...)...)
	a := newAnonymiser()
	a.replace(first)
	a.replace(second)
	if bytes.Equal(first[:64], second[:64]) || bytes.Contains(first, []byte{0xAA, 0xAA, 0xAA, 0xAA}) || bytes.Equal(first[100:132], first[132:164]) {
		t.Errorf("%X", first[:64])
	}
}
