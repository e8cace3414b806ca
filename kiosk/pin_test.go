package kiosk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

func typePIN(digits string) kiosk.PIN {
	var p kiosk.PIN
	for i := range len(digits) {
		p = p.Append(digits[i])
	}
	return p
}

// A PIN and its keys print as [secret] in every format and encoding.
func TestPINIsSecret(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{
		typePIN("4711"), kiosk.VerifyPIN{Visit: "v", PIN: typePIN("4711")},
		[]kiosk.Key{'4', '7', '1', '1'}, kiosk.KeyPressed{Key: '4'},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			fmt.Fprintf(&out, verb, v)
		}
	}
	b, err := json.Marshal(kiosk.VerifyPIN{PIN: typePIN("4711")})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	log.Info("x", "pin", typePIN("4711"))
	for _, leak := range []string{"4711", "34373131", "52 55 49 49", "0x34", "'4'"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in %s", leak, out.String())
		}
	}
}

func TestPINUseWipes(t *testing.T) {
	p := typePIN("1234")
	var kept []byte
	if err := p.Use(func(digits []byte) error {
		if string(digits) != "1234" {
			t.Errorf("digits %q", digits)
		}
		kept = digits
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, make([]byte, 4)) {
		t.Errorf("after Use the digits are %q", kept)
	}
}

func TestPINTakesNoMoreThanMax(t *testing.T) {
	p := typePIN(strings.Repeat("1", kiosk.MaxPINDigits+3))
	if p.Len() != kiosk.MaxPINDigits {
		t.Errorf("length %d", p.Len())
	}
}

// The other keys are no secret.
func TestKeysPrint(t *testing.T) {
	for key, want := range map[kiosk.Key]string{
		kiosk.KeyOK: "#", kiosk.KeyCorrect: "*", kiosk.KeyLanguage: "L", '0': "[secret]", '9': "[secret]", '/': "/", ':': ":",
	} {
		if got := fmt.Sprint(key); got != want {
			t.Errorf("key %d prints as %q, not %q", rune(key), got, want)
		}
	}
}
