package flash

import (
	"strings"
	"testing"

	"smartkiosk/cmd/internal/bootfiles"
)

const exampleCode = "lobby-7:3467-9ACD-KKF7-YJ73-Q7RH-3ACA-Q9WA"

func TestReadList(t *testing.T) {
	common := bootfiles.Settings{Hub: "https://hub.example", Language: "nb"}
	list, err := readList(strings.NewReader("\ufeffkiosk,code,board,language,expires\r\nlobby-7, "+exampleCode+" ,pi4-usbpad-oled,,soon\r\n"), common)
	want := bootfiles.Settings{Hub: "https://hub.example", Language: "nb", Board: "pi4-usbpad-oled"}
	if err != nil || len(list) != 1 || list[0].settings != want || list[0].code.Kiosk != "lobby-7" {
		t.Fatalf("%+v, %v", list, err)
	}
	for text, want := range map[string]string{
		"":                                       "it is empty",
		"code":                                   "it has no kiosk",
		"kiosk,hub":                              "line 1: the column code is missing",
		"code,colour":                            `line 1: unknown column "colour"`,
		"code,code":                              "line 1: the column code is there twice",
		"code\nlobby-7:3467":                     "line 2: cannot read the code: it has 4 letters",
		"code,hub\n" + exampleCode:               "record on line 2: wrong number of fields",
		"kiosk,code\nk2," + exampleCode:          "line 2: the code is for kiosk lobby-7, not k2",
		"code,hub\n" + exampleCode + ",http://x": `line 2: cannot write kiosk.toml: hub "http://x" is not https://host[:port]`,
		"code\n" + exampleCode + "\n\n" + exampleCode: "line 4: kiosk lobby-7 is there twice",
		"code\n\"": "line 2",
	} {
		if _, err := readList(strings.NewReader(text), common); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzReadList checks that no table makes readList panic.
func FuzzReadList(f *testing.F) {
	f.Add("kiosk,hub,code,expires\nlobby-7,https://hub.example," + exampleCode + ",2031-01-01\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readList(strings.NewReader(text), bootfiles.Settings{})
		if err == nil && len(list) == 0 {
			t.Error("no kiosk and no error")
		}
	})
}

func TestProgressLine(t *testing.T) {
	if got := line("writing", 0.5, 50e6, 10e9); got != "writing   [===============               ]  50%  5.0 MB/s  10s left" {
		t.Errorf("%q", got)
	}
	if got := line("writing", 0, 0, 0); got != "writing   [                              ]   0%" {
		t.Errorf("%q", got)
	}
}
