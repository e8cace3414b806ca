package tomlfile_test

import (
	"strings"
	"testing"

	"smartkiosk/device/tomlfile"
)

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"name = 'a'\n[inner]\nsize = 1":                  "",
		"name = 'a'\n[inner]\nsise = 1\n[other]\na = 1":  `line 3: unknown key "inner.sise"`,
		"name = 'a'\n[inner]\nsize = 'x'":                "line 3, column 8: ",
		"name = 'a'\nname = 'b'":                         "line 2",
		"name = ":                                        "line 1, column ",
		"[inner]\nsize = 1\n[inner]\nsize = 2":           "inner",
		"name = 'a'\n\n\n[[inner]]\nsize = 1\n[nothing]": "",
	} {
		var into struct {
			Name  string
			Inner struct{ Size int }
		}
		err := tomlfile.Decode([]byte(text), &into)
		switch {
		case strings.Contains(text, "[["):
			if err == nil {
				t.Errorf("%q: an array of tables is taken for a table", text)
			}
		case want == "":
			if err != nil || into.Name != "a" || into.Inner.Size != 1 {
				t.Errorf("%q: %+v, %v", text, into, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%q: error %v does not say %q", text, err, want)
		}
	}
}
