package login

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"smartkiosk/device/tomlfile"
	"smartkiosk/kiosk"
)

// texts are the texts of one language.
type texts struct {
	Name       string            `toml:"name"`
	Title      string            `toml:"title"`
	Purpose    string            `toml:"purpose"`
	Here       string            `toml:"here"`
	Go         string            `toml:"go"`
	Cancel     string            `toml:"cancel"`
	Test       string            `toml:"test"`
	Again      string            `toml:"again"`
	Digits     string            `toml:"digits"`
	DigitsHelp string            `toml:"digits_help"`
	Busy       string            `toml:"busy"`
	Granted    string            `toml:"granted"`
	Denied     string            `toml:"denied"`
	Code       string            `toml:"code"`
	CodeGo     string            `toml:"code_go"`
	Unknown    string            `toml:"unknown"`
	OtherPhone string            `toml:"other_phone"`
	Foreign    string            `toml:"foreign"`
	Fault      string            `toml:"fault"`
	Reasons    map[string]string `toml:"reasons"`
}

//go:embed texts.toml
var textsFile []byte

var catalogue = sync.OnceValue(func() map[string]texts {
	var all map[string]texts
	if err := tomlfile.Decode(textsFile, &all); err != nil {
		panic(fmt.Sprintf("login: texts.toml: %v", err))
	}
	return all
})

// at fills in the kiosk's name.
func (t texts) at(place string) string { return strings.ReplaceAll(t.Title, "{place}", place) }

// ended returns what the page says about a login that has ended.
func (t texts) ended(o kiosk.Outcome, why kiosk.Reason) string {
	switch why {
	case kiosk.LoginState, kiosk.LoginToken:
		why = "login-again"
	case kiosk.BrokerAnswer, kiosk.LoginRefused:
		return t.Fault
	}
	switch s, ok := t.Reasons[string(why)]; {
	case o == kiosk.Granted:
		return t.Granted
	case ok:
		return s
	case o == kiosk.Denied:
		return t.Denied
	}
	return t.Fault
}
