// Package document has the rules for documents that a holder signs at a kiosk. The hub
// applies them when it takes a document, and the kiosk before it shows one: what a panel
// shows is exactly what is signed, so a text must have nothing that a panel would not show.
package document

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"smartkiosk/kiosk"
)

const (
	MaxText  = 16 << 10 // bytes of a text
	MaxPDF   = 16 << 20 // bytes of a PDF
	MaxTitle = 40       // letters of a title
)

// Hash returns the fingerprint of a document, which people compare: its SHA-256, hexadecimal.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// IsText reports whether documents of a kind are texts, which a panel shows whole.
func IsText(k kiosk.DocumentKind) bool { return k != kiosk.PDFDocument }

// CheckTitle reports the first mistake in a title.
func CheckTitle(title string) error {
	if n := utf8.RuneCountInString(title); n == 0 || n > MaxTitle {
		return fmt.Errorf("the title has %d letters, not 1 to %d", n, MaxTitle)
	}
	if strings.Contains(title, "\n") {
		return errors.New("the title has more than one line")
	}
	return checkLetters(title, "the title")
}

// CheckText reports the first mistake in a text: more than MaxText bytes, no letter at all,
// a control character other than the end of a line, a letter that cannot be seen, or a space
// where a panel shows none, because a row may end there.
func CheckText(text []byte) error {
	if len(text) > MaxText {
		return fmt.Errorf("the text has %d bytes, at most %d can be shown", len(text), MaxText)
	}
	if strings.TrimSpace(string(text)) == "" {
		return errors.New("the text is empty")
	}
	line := 0
	for row := range strings.SplitSeq(string(text), "\n") {
		line++
		if err := checkLetters(row, fmt.Sprintf("line %d", line)); err != nil {
			return err
		}
	}
	return nil
}

func checkLetters(row, where string) error {
	if !utf8.ValidString(row) {
		return fmt.Errorf("%s is not UTF-8", where)
	}
	if !norm.NFC.IsNormalString(row) {
		return fmt.Errorf("%s is not in the Unicode form NFC", where)
	}
	if row != strings.TrimSpace(row) || strings.Contains(row, "  ") {
		return fmt.Errorf("%s begins or ends with a space, or has two spaces together: panels do not show that", where)
	}
	for _, r := range row {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%s has the letter %U, which panels do not show", where, r)
		}
	}
	return nil
}
