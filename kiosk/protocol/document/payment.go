package document

import (
	"fmt"
	"strings"

	"smartkiosk/kiosk"
)

// Payment is a payment or an order that a holder confirms.
type Payment struct {
	Amount    string // with the currency, as it is shown: "NOK 120,00"
	Payee     string
	Reference string
}

// labels name the members of a payment and of an order in a language.
var labels = map[string]struct{ payment, order, amount, payee, reference string }{
	"nb": {"Betaling", "Ordre", "Beløp", "Til", "Referanse"},
	"nn": {"Betaling", "Ordre", "Beløp", "Til", "Referanse"},
	"se": {"Máksu", "Diŋgojupmi", "Submi", "Geasa", "Čujuhus"},
	"en": {"Payment", "Order", "Amount", "To", "Reference"},
}

// Text returns the text that the holder signs, a line for each member, and a title.
func (p Payment) Text(kind kiosk.DocumentKind, language string) (title string, text []byte, err error) {
	l, ok := labels[language]
	if !ok {
		return "", nil, fmt.Errorf("there is no language %q: there are nb, nn, se and en", language)
	}
	title = l.payment
	if kind == kiosk.OrderDocument {
		title = l.order
	}
	lines := []string{title}
	for _, m := range []struct{ name, label, value string }{
		{"amount", l.amount, p.Amount}, {"payee", l.payee, p.Payee}, {"reference", l.reference, p.Reference},
	} {
		if m.value == "" || strings.Contains(m.value, "\n") {
			return "", nil, fmt.Errorf("the %s is missing, or has more than one line", m.name)
		}
		lines = append(lines, m.label+": "+m.value)
	}
	text = []byte(strings.Join(lines, "\n"))
	return title, text, CheckText(text)
}
