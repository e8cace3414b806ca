package smartkort

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"smartkiosk/device/apdu/tlv"
)

func compressed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// dataObject is a certificate's data object with this CertInfo.
func dataObject(der []byte, info ...byte) []byte {
	content := tlv.Append(nil, tagCertificate, der...)
	content = tlv.Append(content, tagCertInfo, info...)
	return tlv.Append(nil, tagData, tlv.Append(content, 0xFE)...)
}

// TestDataObject reads the certificate in a data object, whole or compressed.
func TestDataObject(t *testing.T) {
	der := []byte{0x30, 0x03, 0x02, 0x01, 0x05}
	golden := unhex(t, "53 0C 70 05 30 03 02 01 05 71 01 00 FE 00")
	if !bytes.Equal(dataObject(der, 0x00), golden) {
		t.Fatalf("%X", dataObject(der, 0x00))
	}
	packed := compressed(t, der)
	for name, tt := range map[string]struct {
		object []byte
		want   string // the error; "" for none
	}{
		"whole":                     {golden, ""},
		"compressed":                {dataObject(packed, 0x01), ""},
		"without CertInfo":          {tlv.Append(nil, tagData, tlv.Append(nil, tagCertificate, der...)...), ""},
		"empty":                     {nil, "data object without a certificate"},
		"no template":               {der, "data object without a certificate"},
		"no certificate":            {dataObject(nil, 0x00), "data object without a certificate"},
		"cut off":                   {golden[:8], "data object without a certificate"},
		"not compressed, but said":  {dataObject(der, 0x01), "compressed certificate: "},
		"compressed, cut off":       {dataObject(packed[:len(packed)-9], 0x01), "compressed certificate of "},
		"compressed, much too long": {dataObject(compressed(t, make([]byte, 1<<20)), 0x01), "compressed certificate of 16385 bytes"},
	} {
		got, err := decodeDataObject(tt.object)
		switch {
		case tt.want == "" && (err != nil || !bytes.Equal(got, der)):
			t.Errorf("%s: %X, %v", name, got, err)
		case tt.want != "" && (!errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
