package frontpanel

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/device/board"
	"smartkiosk/device/display"
	"smartkiosk/device/display/displaysim"
	"smartkiosk/device/display/oled"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/screen"
)

// TestCodeIsReadable shows links of logins by phone on a display of dots, and lets another
// program read the QR code from a picture of the glass. SCREENSHOTS=folder keeps the
// pictures.
func TestCodeIsReadable(t *testing.T) {
	texts, err := screen.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	for name, link := range map[string]string{
		"version-2": "HTTPS://LOGIN.EXAMPLE.NO/ABC234",
		"version-3": "HTTPS://A-VERY-LONG-NAME-OF-A-LOGIN-SERVICE.EXAMPLE.NO/ABC234",
	} {
		for _, language := range []string{"nb", "nn", "se", "en"} {
			s := kiosk.Screen{ID: kiosk.ScreenLink, Language: language, Page: link, ByPhone: true, Sandbox: name == "version-3"}
			glass := displaysim.NewOLED(oled.SSD1306.String())
			bus := &displaysim.I2C{Address: 0x3c, Target: glass, Hertz: 400000, Clock: &displaysim.Clock{}}
			part, err := oled.New(bus, 0x3c, oled.SSD1306)
			if err != nil {
				t.Fatal(err)
			}
			text, err := display.NewText(part)
			if err != nil {
				t.Fatal(err)
			}
			f := frame(texts, s, (&board.OLED{Chip: oled.SSD1306}).Form(), screen.Hash)
			if f.Layout != display.Beside || f.Picture == nil || f.Rows[3] != "ABC234" || f.Rows[4] != "#: URL" || (f.Rows[2] == "TEST") != s.Sandbox {
				t.Fatalf("%s %s: %q in layout %d", name, language, f.Rows, f.Layout)
			}
			for _, row := range f.Rows {
				if n := len([]rune(row)); n > display.BesideLetters {
					t.Errorf("%s %s: %q has %d letters", name, language, row, n)
				}
			}
			if err := text.Show(f); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "oled-"+name+"-"+language+".png")
			photograph(t, glass.Picture(), file)
			out, err := exec.Command("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "--nodbus", file).Output()
			if got := strings.TrimSpace(string(out)); err != nil || got != link {
				t.Errorf("%s %s is read as %q, %v", name, language, got, err)
			}
			s.First = 1 // the person asks for the link as text
			if f := frame(texts, s, (&board.OLED{Chip: oled.SSD1306}).Form(), screen.Hash); f.Picture != nil || !strings.Contains(strings.Join(f.Rows, ""), "/ABC234") {
				t.Errorf("%s %s as text: %q", name, language, f.Rows)
			}
		}
	}
}

// photograph takes a picture of a glass as a camera does, in which the gaps between the dots
// are blurred.
func photograph(t *testing.T, glass image.Image, file string) {
	t.Helper()
	const pitch, scale = 4, 4 // pixels of a dot of the simulated glass, and of the photograph
	b := glass.Bounds()
	photo := image.NewGray(image.Rect(0, 0, b.Dx()/pitch*scale, b.Dy()/pitch*scale))
	for y := range photo.Bounds().Dy() {
		for x := range photo.Bounds().Dx() {
			sum := 0
			for i := range pitch * pitch {
				at := b.Min.Add(image.Pt(x/scale*pitch+i%pitch, y/scale*pitch+i/pitch))
				sum += int(color.GrayModel.Convert(glass.At(at.X, at.Y)).(color.Gray).Y)
			}
			photo.SetGray(x, y, color.Gray{uint8(sum / pitch / pitch)})
		}
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, photo); err != nil {
		t.Fatal(err)
	}
}

// TestCodeTooLarge: a code that does not fit in whole modules is shown as text.
func TestCodeTooLarge(t *testing.T) {
	if codePicture(screen.QR(strings.Repeat("HTTPS://X.EXAMPLE/", 5))) != nil {
		t.Error("a code of version 4 or more is drawn")
	}
}
