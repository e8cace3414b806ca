package hubpolicy_test

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

func TestCheckServices(t *testing.T) {
	choices := func(n int) (all []kiosk.Choice) {
		for i := range n {
			all = append(all, kiosk.Choice{Code: "c" + string(rune('0'+i)), Texts: map[string]string{"nb": "Blodprøve", "en": "Blood sample"}})
		}
		return all
	}
	changed := func(change func(*kiosk.Choice)) kiosk.Services {
		all := choices(2)
		change(&all[1])
		return kiosk.Services{Choices: all}
	}
	text := func(tag, text string) kiosk.Services {
		return changed(func(c *kiosk.Choice) { c.Texts[tag] = text })
	}
	for name, c := range map[string]struct {
		services kiosk.Services
		want     string // "" if they are fine
	}{
		"none":              {kiosk.Services{}, ""},
		"all":               {kiosk.Services{ChangePIN: true, Unblock: true, Choices: choices(8)}, ""},
		"nine choices":      {kiosk.Services{Choices: choices(9)}, ""},
		"too many":          {kiosk.Services{ChangePIN: true, Choices: choices(9)}, "services: 10 entries, but the menu has 9 keys"},
		"one choice":        {kiosk.Services{Choices: choices(1)}, "services: there is only one choice: write at least two"},
		"code in capitals":  {changed(func(c *kiosk.Choice) { c.Code = "A" }), `services: code "A" does not consist of 1 to 32 lower-case letters, digits and hyphens`},
		"code twice":        {changed(func(c *kiosk.Choice) { c.Code = "c0" }), `services: code "c0" occurs twice`},
		"no text":           {changed(func(c *kiosk.Choice) { c.Texts = nil }), `services: choice "c1": the text in "nb" is missing, which stands in for languages without a text`},
		"text too long":     {text("en", "fifteen letters"), `services: choice "c1": the text in "en" has 15 letters, not 1 to 14`},
		"text with a space": {text("en", "A "), `services: choice "c1": the text in "en" begins or ends with a space, or has a letter that cannot be shown`},
		"text that turns":   {text("en", "A\u202eB"), `services: choice "c1": the text in "en" begins or ends with a space, or has a letter that cannot be shown`},
		"no language":       {text("English", "A"), `services: choice "c1": "English" is not the tag of a language`},
	} {
		err := hubpolicy.CheckServices(c.services)
		if got := strings.TrimPrefix(errorText(err), "<nil>"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
