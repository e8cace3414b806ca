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
		{"CHANGE in a packet", "A024008208FFFFFFFFFFFFFFFF", true, true},
		{"RESET RETRY COUNTER in a packet", "A02C008208FFFFFFFFFFFFFFFF", true, true},

		{"PIN in the clear", "A02000820431323334", false, false},
		{"PIN in the clear, a piece of a chain", "102000820431323334", false, false},
		{"PIN for SELECT", "00A404000431323334", true, false},
		{"PIN for CHANGE with data objects", "0025008208FFFFFFFFFFFFFFFF", true, false},
		{"PIN for RESET RETRY COUNTER with data objects", "002D008208FFFFFFFFFFFFFFFF", true, false},
		{"PIN in logical channel 1", "0120008208FFFFFFFFFFFFFFFF", true, false},
		{"CHANGE", "00240082083132333435363738", false, false},
		{"CHANGE, class A0", "A0240082083132333435363738", false, false},
		{"RESET RETRY COUNTER", "002C0082083132333435363738", false, false},
		{"UPDATE BINARY", "00D60000010A", false, false},
		{"UPDATE BINARY, secure messaging", "0CD60000010A", false, false},
		{"UPDATE BINARY, proprietary", "84D60000010A", false, false},
		{"GlobalPlatform DELETE", "80E4000001FF", false, false},
		{"to the reader", "FFCA000000", false, false},
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

// TestChannels checks all 256 class bytes. The expected ones are taken from the
// tables of ISO 7816-4 §5.4.1 and of the GlobalPlatform Card Specification §11.1.4.
func TestChannels(t *testing.T) {
	channel0 := map[byte]string{
		0x00: "first interindustry", 0x04: "proprietary secure messaging", 0x08: "secure messaging", 0x0C: "secure messaging, header authenticated",
		0x10: "chaining", 0x14: "chaining", 0x18: "chaining", 0x1C: "chaining",
		0x20: "reserved", 0x24: "reserved", 0x28: "reserved", 0x2C: "reserved",
		0x30: "reserved", 0x34: "reserved", 0x38: "reserved", 0x3C: "reserved",
		0x80: "GlobalPlatform", 0x84: "GlobalPlatform secure messaging", 0x88: "GlobalPlatform", 0x8C: "GlobalPlatform",
		0x90: "proprietary", 0x94: "proprietary", 0x98: "proprietary", 0x9C: "proprietary",
		0xA0: "Smartkort", 0xA4: "proprietary", 0xA8: "proprietary", 0xAC: "proprietary",
		0xB0: "proprietary", 0xB4: "proprietary", 0xB8: "proprietary", 0xBC: "proprietary",
	}
	for cla := range 0x100 {
		c := apdu.Command{CLA: byte(cla), INS: 0xB0, Le: 1}
		err := permit(c, false)
		if about, ok := channel0[c.CLA]; ok != (err == nil) || err != nil && !errors.Is(err, errForbidden) {
			t.Errorf("class %02X (%s): %v", cla, about, err)
		}
		c.INS = 0x70
		if err := permit(c, false); !errors.Is(err, errForbidden) {
			t.Errorf("MANAGE CHANNEL in class %02X: %v", cla, err)
		}
	}
}

// TestRulesAreDocumented: the package doc lists each refused instruction.
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
