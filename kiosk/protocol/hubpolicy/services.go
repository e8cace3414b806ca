package hubpolicy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"smartkiosk/kiosk"
)

// choiceCode is the form of the code of a choice.
var choiceCode = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// language is the form of a language's tag (BCP 47), as the kiosk's texts use it.
var language = regexp.MustCompile(`^[a-z]{2,3}$`)

// CheckServices reports the first mistake in the services of a kiosk.
func CheckServices(s kiosk.Services) error {
	others := 0
	if s.ChangePIN {
		others++
	}
	if s.Documents {
		others++
	}
	if n := len(s.Choices); n == 1 {
		return errors.New("services: there is only one choice: write at least two")
	} else if n+others > kiosk.MaxEntries {
		return fmt.Errorf("services: %d entries, but the menu has %d keys", n+others, kiosk.MaxEntries)
	}
	switch s.Phone {
	case "", kiosk.Sandbox, kiosk.Production:
	default:
		return fmt.Errorf("services: phone is %q, not %s or %s", s.Phone, kiosk.Sandbox, kiosk.Production)
	}
	seen := map[string]bool{}
	for _, c := range s.Choices {
		if !choiceCode.MatchString(c.Code) {
			return fmt.Errorf("services: code %q does not consist of 1 to 32 lower-case letters, digits and hyphens", c.Code)
		}
		if seen[c.Code] {
			return fmt.Errorf("services: code %q occurs twice", c.Code)
		}
		seen[c.Code] = true
		if err := checkTexts(c.Texts); err != nil {
			return fmt.Errorf("services: choice %q: %w", c.Code, err)
		}
	}
	return nil
}

func checkTexts(texts map[string]string) error {
	if texts[kiosk.FallbackLanguage] == "" {
		return fmt.Errorf("the text in %q is missing, which stands in for languages without a text", kiosk.FallbackLanguage)
	}
	for tag, text := range texts {
		if !language.MatchString(tag) {
			return fmt.Errorf("%q is not the tag of a language", tag)
		}
		if n := utf8.RuneCountInString(text); n == 0 || n > kiosk.MaxLabel {
			return fmt.Errorf("the text in %q has %d letters, not 1 to %d", tag, n, kiosk.MaxLabel)
		}
		if text != strings.TrimSpace(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("the text in %q begins or ends with a space, or has a letter that cannot be shown", tag)
		}
	}
	return nil
}
