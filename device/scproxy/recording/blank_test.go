package recording

import (
	"encoding/hex"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
)

// TestBlanked compares commands with what is kept of them.
func TestBlanked(t *testing.T) {
	const hash = "112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF01"
	zero := strings.Repeat("00", 32)
	const info = "3031300D060960864801650304020105000420"
	padding := "0001" + strings.Repeat("FF", 10) + "00"
	for name, c := range map[string]struct{ command, want string }{
		"SELECT":                  {"00A4080C043F005015", "00A4080C043F005015"},
		"SELECT with much data":   {"00A4040011" + strings.Repeat("41", 17), "00A4040011" + strings.Repeat("00", 17)},
		"READ BINARY":             {"00B0010080", "00B0010080"},
		"GET DATA by tag list":    {"00CB3FFF035C015F", "00CB3FFF035C015F"},
		"ASCII PIN, padded":       {"A02000820831323334FFFFFFFF", "A02000820830000000000000FF"},
		"ASCII PIN, padded by 00": {"00200082083132333400000000", "00200082083000000000000000"},
		"ASCII PIN, no padding":   {"002000820431323334", "002000820430000000"},
		"BCD PIN":                 {"00200082041234FFFF", "0020008204000000FF"},
		"ISO 9564 format 2":       {"0020008208241234FFFFFFFFFF", "002000820800000000000000FF"},
		"BCD PIN that fills it":   {"002000820212FF", "002000820200FF"},
		"tries left":              {"00200082", "00200082"},
		"CHANGE REFERENCE DATA":   {"002400820831323334FFFFFFFF", "00240082080000000000000000"},
		"RESET RETRY COUNTER":     {"002C00820831323334FFFFFFFF", "002C0082080000000000000000"},
		"MSE":                     {"002241B60A800102840101" + "810245" + "01", "002241B60A800102840101" + "810245" + "01"},
		"MSE with other data":     {"002241B60780010294021122", "002241B60780010294020000"},
		"MSE that is not TLV":     {"002241B603800501", "002241B603000000"},
		"DigestInfo":              {"002A9E9A33" + info + hash, "002A9E9A33" + info + zero},
		"bare hash":               {"002A9E9A20" + hash, "002A9E9A20" + zero},
		"block":                   {"002A9E9A40" + padding + info + hash, "002A9E9A40" + padding + info + zero},
		"first piece of a block":  {"102A9E9A30" + padding + info + hash[:32], "102A9E9A30" + padding + info + zero[:32]},
		"last piece of a block":   {"002A9E9A0111", "002A9E9A0100"},
		"block of another hash":   {"002A9E9A2D" + padding + hash, "002A9E9A2D" + padding + zero},
		"little padding":          {"002A9E9A0A0001FFFFFF0011223344", "002A9E9A0A00000000000000000000"},
		"INTERNAL AUTHENTICATE":   {"0088000020" + hash, "0088000020" + zero},
		"GET CHALLENGE":           {"0084000008", "0084000008"},
		"unknown":                 {"80500000041122334408", "80500000040000000008"},
	} {
		parsed, err := apdu.Parse(unhex(t, c.command))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := blanked(parsed).Bytes()
		if got := strings.ToUpper(hex.EncodeToString(b)); err != nil || got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if again, _ := parsed.Bytes(); !strings.EqualFold(hex.EncodeToString(again), c.command) {
			t.Errorf("%s: the command itself was changed", name)
		}
	}
}
