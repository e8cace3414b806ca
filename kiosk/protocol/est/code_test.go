package est

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// testCA is a certificate of which only the bytes matter.
var testCA = &x509.Certificate{Raw: []byte("a certificate")}

func testCode(t testing.TB) Code {
	t.Helper()
	c, err := NewCode("lobby-7", testCA, bytes.NewReader([]byte{255, 0, 1, 2, 3, 4, 5, 6, 7, 8}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A code that was printed must be readable after an update of the program.
func TestGoldenCode(t *testing.T) {
	const golden = "lobby-7:3467-9ACD-KKF7-YJ73-Q7RH-3ACA-Q9WA"
	if got := testCode(t).Text(); got != golden {
		t.Errorf("got %s, want %s", got, golden)
	}
}

func TestParseCode(t *testing.T) {
	code := testCode(t)
	text := code.Text()
	kiosk, letters, _ := strings.Cut(text, ":")
	for _, typed := range []string{
		text, strings.ToLower(text), " " + text + "\n", kiosk + ":" + strings.ReplaceAll(letters, "-", ""), kiosk + ": " + strings.ReplaceAll(letters, "-", " "),
	} {
		got, err := ParseCode(typed)
		if err != nil || got.Kiosk != "lobby-7" || !bytes.Equal(got.Secret, code.Secret) || !got.Pins(testCA) || got.Pins(&x509.Certificate{Raw: []byte("another")}) {
			t.Errorf("%q: %+v, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]string{
		"":                                "it has no colon after the kiosk's name",
		letters:                           "it has no colon after the kiosk's name",
		":" + letters:                     "what is before the colon is not a kiosk's name",
		"lobby 7:" + letters:              "what is before the colon is not a kiosk's name",
		text + "A":                        "it has more than 28 letters after the colon",
		text[:len(text)-1]:                "it has 27 letters after the colon, not 28",
		kiosk + ":O" + letters[1:]:        "'O' is not a letter of codes",
		kiosk + ":ü" + letters[1:]:        "'Ü' is not a letter of codes",
		kiosk + "7:" + letters:            "it was mistyped",
		kiosk + ":" + swapped(letters):    "it was mistyped",
		kiosk + ":" + letters[:32] + "AA": "it was mistyped",
	} {
		if _, err := ParseCode(typed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", typed, err, want)
		}
	}
}

// swapped exchanges the first two letters that differ.
func swapped(text string) string {
	b := []byte(text)
	for i := 1; i < len(b); i++ {
		if b[i] != b[0] {
			b[0], b[i] = b[i], b[0]
			break
		}
	}
	return string(b)
}

// Every letter of the alphabet is equally likely.
func TestCodesAreFair(t *testing.T) {
	every := make([]byte, secretLetters*256) // so that whole codes use all letters up
	for i := range every {
		every[i] = byte(i)
	}
	seen := map[byte]int{}
	random := bytes.NewReader(every)
	for {
		c, err := NewCode("k1", testCA, random)
		if err != nil {
			break
		}
		for _, letter := range c.Secret {
			seen[letter]++
		}
	}
	for i := range alphabet {
		if n := seen[alphabet[i]]; n != secretLetters*(256/len(alphabet)) {
			t.Errorf("%c occurs %d times", alphabet[i], n)
		}
	}
}

// FuzzParseCode checks that a code that is accepted is printed in the normal form, which
// means the same.
func FuzzParseCode(f *testing.F) {
	f.Add(testCode(f).Text())
	f.Add("k1:ACDE")
	f.Add("k1")
	f.Fuzz(func(t *testing.T, typed string) {
		c, err := ParseCode(typed)
		if err != nil {
			return
		}
		again, err := ParseCode(c.Text())
		if err != nil || again.Text() != c.Text() {
			t.Errorf("%q is read as %q, which is not readable: %v", typed, c.Text(), err)
		}
	})
}

// Secrets of codes are not printed.
func TestSecretsAreNotPrinted(t *testing.T) {
	text, err := json.Marshal(Code{Secret: Secret("ACDEFGHJ")})
	if shown := fmt.Sprintf("%v %s %x %+v %s", Secret("ACDEFGHJ"), Secret("ACDEFGHJ"), Secret("ACDEFGHJ"), Code{Secret: Secret("ACDEFGHJ")}, text); err != nil || strings.Contains(shown, "ACDEFGHJ") || strings.Contains(shown, "4143") {
		t.Errorf("printed as %s, %v", shown, err)
	}
}
