package hubapi

import (
	"reflect"
	"strings"
	"testing"
)

// TestFormer checks the header field with the certificates of former keys.
func TestFormer(t *testing.T) {
	all := [][]byte{{1, 2, 3}, {4}, []byte("certificate")}
	got, err := DecodeFormer(encodeFormer(all))
	if err != nil || !reflect.DeepEqual(got, all) || encodeFormer(all[:2]) != ":AQID:, :BA==:" {
		t.Errorf("%v, %v, %s", got, err, encodeFormer(all[:2]))
	}
	var many [][]byte
	for i := range MaxFormer + 3 {
		many = append(many, []byte{byte(i)})
	}
	if got, err := DecodeFormer(encodeFormer(many)); err != nil || len(got) != MaxFormer || got[0][0] != 3 {
		t.Errorf("of many it sends %v, %v", got, err)
	}
	if got, err := DecodeFormer(""); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	for bad, want := range map[string]string{
		"AQID":    "not a list of byte sequences",
		":AQID":   "not a list of byte sequences",
		":AQ:ID:": "not a list of byte sequences",
		"::":      "not a list of byte sequences",
		":AQID:,": "not a list of byte sequences",
		strings.Repeat(":AQID:,", MaxFormer) + ":AQID:": "has more than 16 certificates",
	} {
		if got, err := DecodeFormer(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, %v, want %s", bad, got, err, want)
		}
	}
}

func FuzzDecodeFormer(f *testing.F) {
	f.Add(encodeFormer([][]byte{{1}, {2, 3}}))
	f.Fuzz(func(t *testing.T, header string) {
		got, err := DecodeFormer(header)
		if err != nil {
			return
		}
		again, err := DecodeFormer(encodeFormer(got))
		if err != nil || len(got) > 0 && !reflect.DeepEqual(got, again) {
			t.Errorf("%q is read as %v and then as %v, %v", header, got, again, err)
		}
	})
}
