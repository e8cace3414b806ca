package screen

import (
	"cmp"
	"slices"
	"strings"

	"smartkiosk/kiosk"
)

// speech says how a language is spoken.
type speech struct {
	Voice string            // of espeak-ng
	Dot   string            // how the dot in an address is spoken
	Keys  map[string]string // how the labels of the key that ends a PIN are spoken
	Words map[string]string // how signs, abbreviations and addresses are spoken

	// For a language that has no voice.
	Instead string // tag of the language that is spoken in its place
	Notice  string // says so, in that language
	Short   string // say so on the welcome screen, in the language itself
	Text    string
}

// Spoken is what the kiosk says about a screen.
type Spoken struct {
	Voice  string // of espeak-ng
	Notice string // to be said first when the language changes: that it has no voice
	Text   string
	Entry  string // the number of digits typed; "" unless the screen takes a PIN
}

// Spoken returns a screen as speech. ok is the label of the key that ends a PIN. The
// speech has no holder's name, because bystanders hear it, and of a PIN only the number
// of its digits. A language without a voice is spoken in another one.
func (c *Catalogue) Spoken(s kiosk.Screen, ok string) Spoken {
	l := c.language(s.Language)
	var out Spoken
	if l.Speech.Voice == "" {
		out.Notice = l.Speech.Notice
		l = c.language(l.Speech.Instead)
		s.Language = l.Tag
	}
	out.Voice = l.Speech.Voice
	say := l.Speech.replacer().Replace
	if s.ID == kiosk.ScreenLink {
		s.Page = spelled(linkOf(s), l.Speech.Dot)
	} else {
		s.Page = strings.ReplaceAll(address(s.Page), ".", " "+l.Speech.Dot+" ")
	}
	t := c.words(s, l.Speech.Keys[cmp.Or(ok, Hash)])
	var all []string
	for _, part := range []string{t.Spoken, t.Heading, t.Text, t.Hint} {
		part = say(part)
		if situationOf(s) == "document" {
			part = strings.ReplaceAll(part, "{document}", sayPage(s.Text))
		} else {
			part = strings.NewReplacer("{name}", "", "{detail}", cut(printable(s.Detail), maxDetail)).Replace(part)
		}
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if !strings.HasSuffix(part, ".") && !strings.HasSuffix(part, "?") && !strings.HasSuffix(part, "!") {
			part += "."
		}
		if all = append(all, part); t.Spoken != "" {
			break // it stands for the others
		}
	}
	out.Text = strings.Join(all, " ")
	out.Entry = c.Frame(s).EntryLabel
	return out
}

// spelled returns a link whose host is spoken in words, and whose code letter by letter.
func spelled(l link, dot string) string {
	return strings.ReplaceAll(l.host, ".", " "+dot+" ") + "/" + strings.Join(strings.Split(l.code, ""), ", ")
}

// sayPage returns a page of a document as sentences, without the last dot. Its words are
// not replaced: what is heard is what is signed.
func sayPage(page string) string {
	var said []string
	for line := range strings.SplitSeq(page, "\n") {
		if line = strings.Trim(line, " ."); line != "" {
			said = append(said, line)
		}
	}
	return strings.Join(said, ". ")
}

// replacer replaces the longest of several words first.
func (s speech) replacer() *strings.Replacer {
	words := make([]string, 0, len(s.Words))
	for word := range s.Words {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, word := range words {
		pairs = append(pairs, word, s.Words[word])
	}
	return strings.NewReplacer(pairs...)
}
