package scproxy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
)

func TestPermit(t *testing.T) {
	for _, c := range []struct {
		name, command string
		packed, may   bool
	}{
		{"SELECT", "00A40000023F00", false, true},
		{"READ BINARY", "00B0000000", false, true},
		{"GET RESPONSE", "00C0000010", false, true},
		{"MSE SET", "002241B603840101", false, true},
		{"PSO", "002A9E9A0100", false, true},
		{"a piece of a chain", "102A9E9A0100", false, true},
		{"INTERNAL AUTHENTICATE", "008800000100", false, true},
		{"proprietary", "80CA9F7F00", false, true},
		{"class A0", "A0A40000023F00", false, true},
		{"tries left", "00200082", false, true},
		{"PIN in a packet", "A020008204FFFFFFFF", true, true},

		{"PIN in the clear", "A02000820431323334", false, false},
		{"PIN in the clear, a piece of a chain", "102000820431323334", false, false},
		{"PIN for SELECT", "00A404000431323334", true, false},
		{"PIN for CHANGE", "0024008208FFFFFFFFFFFFFFFF", true, false},
		{"CHANGE", "00240082083132333435363738", false, false},
		{"CHANGE, class A0", "A0240082083132333435363738", false, false},
		{"RESET RETRY COUNTER", "002C0082083132333435363738", false, false},
		{"UPDATE BINARY", "00D60000010A", false, false},
		{"UPDATE BINARY, secure messaging", "0CD60000010A", false, false},
		{"UPDATE BINARY, proprietary", "84D60000010A", false, false},
		{"GlobalPlatform DELETE", "80E4000001FF", false, false},
		{"to the reader", "FFCA000000", false, false},
		{"logical channel 1", "01A40000023F00", false, false},
		{"logical channel 4", "40A40000023F00", false, false},
		{"VERIFY in an envelope", "00C200000D00200082083132333435363738", false, false},
		{"MANAGE CHANNEL", "0070000001", false, false},
	} {
		cmd, err := apdu.Parse(unhex(t, c.command))
		if err != nil {
			t.Fatal(err)
		}
		err = permit(cmd, c.packed)
		if (err == nil) != c.may || err != nil && !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestRulesAreDocumented: each instruction that is refused is in the package
// doc's table.
func TestRulesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(doc), "class FF")
	if !ok {
		t.Fatal("no table")
	}
	for ins, name := range refused {
		if !strings.Contains(table, fmt.Sprintf("%02X ", ins)) {
			t.Errorf("%02X, %s, is not in the table", ins, name)
		}
	}
}
