package document

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// TestCheckText has the error of each kind of text that is not accepted.
func TestCheckText(t *testing.T) {
	for text, want := range map[string]string{
		"Jeg bestiller to esker penner.\n\nFrist: 1. mai": "",
		"Ánná Čáhcesuolu, Åse Østbø":                      "",
		"{name} <b> %s":                                   "",
		"":                                                "empty",
		"\n \n":                                           "empty",
		"a\tb":                                            "U+0009",
		"a\r\nb":                                          "line 1 begins or ends with a space",
		"a\rb":                                            "U+000D",
		"one\ntwo  three":                                 "line 2",
		" a":                                              "line 1",
		"a \nb":                                           "line 1",
		"pay 100\u202e001":                                "U+202E",
		"a\u00a0b":                                        "U+00A0",
		"a\u200bb":                                        "U+200B",
		"A\u030a":                                         "NFC",
		"a\xffb":                                          "UTF-8",
		strings.Repeat("a", MaxText+1):                    "16385 bytes",
		"null\x00":                                        "U+0000",
		"soft\u00adhyphen":                                "U+00AD",
	} {
		err := CheckText([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestCheckTitle(t *testing.T) {
	for title, want := range map[string]string{
		"Årsmelding": "", "": "0 letters", strings.Repeat("å", 41): "41 letters", "a\nb": "more than one line", "a\u202e": "U+202E",
	} {
		err := CheckTitle(title)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", title, err, want)
		}
	}
}

// TestPayment checks the text of payments and orders in each language.
func TestPayment(t *testing.T) {
	p := Payment{Amount: "NOK 120,00", Payee: "Eksempel AS", Reference: "4711"}
	for _, l := range []string{"nb", "nn", "se", "en"} {
		for _, k := range []kiosk.DocumentKind{kiosk.PaymentDocument, kiosk.OrderDocument} {
			title, text, err := p.Text(k, l)
			if err != nil || CheckTitle(title) != nil || !strings.HasPrefix(string(text), title+"\n") {
				t.Errorf("%s %s: %q %q %v", k, l, title, text, err)
			}
			for _, part := range []string{p.Amount, p.Payee, p.Reference} {
				if !strings.Contains(string(text), part) {
					t.Errorf("%s %s: %q is missing in %q", k, l, part, text)
				}
			}
		}
	}
	if _, text, _ := p.Text(kiosk.PaymentDocument, "en"); string(text) != "Payment\nAmount: NOK 120,00\nTo: Eksempel AS\nReference: 4711" {
		t.Errorf("%q", text)
	}
	for _, bad := range []Payment{{}, {"NOK 1", "A\nB", "1"}, {"NOK  1", "A", "1"}, {"NOK 1", "A", ""}} {
		if _, _, err := bad.Text(kiosk.PaymentDocument, "nb"); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if _, _, err := p.Text(kiosk.PaymentDocument, "de"); err == nil {
		t.Error("an unknown language is accepted")
	}
}
