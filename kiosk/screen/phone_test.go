package screen

import (
	"strings"
	"testing"

	"smartkiosk/kiosk"
)

// TestLinkOnSmallDisplays: a display of two rows shows a long link in parts, one for each
// press of OK, and all of it in turn.
func TestLinkOnSmallDisplays(t *testing.T) {
	c := catalogue(t)
	for page, want := range map[string][]string{
		"HTTPS://KIOSK.NO/ABC234":                                       {"Åpne på mobilen|kiosk.no/ABC234"},
		"HTTPS://LOGIN.EXAMPLE.NO:8443/ABC234":                          {"login.example.no|:8443/ABC234"},
		"HTTPS://A-VERY-LONG-NAME-OF-A-LOGIN-SERVICE.EXAMPLE.NO/ABC234": {"a-very-long-name|Neste: #", "-of-a-login-serv|Neste: #", "ice.example.no|Neste: #", "/ABC234|Neste: #", "a-very-long-name|Neste: #"},
	} {
		for first, rows := range want {
			s := kiosk.Screen{ID: kiosk.ScreenLink, Language: "nb", Page: page, First: first, ByPhone: true}
			if got := strings.Join(c.Lines(s, Text16x2), "|"); got != rows {
				t.Errorf("%s, part %d: %q, want %q", page, first, got, rows)
			}
			// Four rows have room for every link.
			if got := strings.Join(c.Lines(s, Text20x4)[1:], ""); !strings.HasPrefix(got, linkOf(s).String()) {
				t.Errorf("%s in four rows: %q", page, got)
			}
		}
	}
}

// TestBeside: what is not a link for a QR code of at most version 3 is shown as text.
func TestBeside(t *testing.T) {
	c := catalogue(t)
	s := kiosk.Screen{ID: kiosk.ScreenLink, Language: "en", Page: "HTTPS://KIOSK.NO/ABC234", ByPhone: true}
	code, rows, has := c.Beside(s, 10, "#/Enter")
	if !has || len(code) != 25 || strings.Join(rows, "|") != "Open on a|phone||ABC234|#: URL" {
		t.Errorf("%d modules, %q, %v", len(code), rows, has)
	}
	for name, change := range map[string]func(*kiosk.Screen){
		"the question":  func(s *kiosk.Screen) { s.Notice = kiosk.NoticeLeave },
		"as text":       func(s *kiosk.Screen) { s.First = 1 },
		"too long":      func(s *kiosk.Screen) { s.Page += strings.Repeat("X", 60) },
		"no link":       func(s *kiosk.Screen) { s.Page = "" },
		"other screens": func(s *kiosk.Screen) { s.ID = kiosk.ScreenOnPhone },
	} {
		other := s
		if change(&other); func() bool { _, _, has := c.Beside(other, 10, "#"); return has }() {
			t.Errorf("%s: shows a code", name)
		}
	}
}
