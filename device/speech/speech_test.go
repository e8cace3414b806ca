package speech_test

import (
	"bufio"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"smartkiosk/device/speech"
)

// toFile returns espeak-ng's command with the sound written to a WAV file.
func toFile(file string) []string { return append(slices.Clone(speech.EspeakNG), "-w", file) }

// sound returns the length of a WAV file of 16-bit mono in seconds and its loudness
// (root mean square, 0 to 1).
func sound(t *testing.T, file string) (seconds, loudness float64) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 44 || string(data[:4]) != "RIFF" || string(data[8:16]) != "WAVEfmt " || binary.LittleEndian.Uint16(data[34:]) != 16 {
		t.Fatalf("%s is no WAV file of 16-bit samples", file)
	}
	rate := float64(binary.LittleEndian.Uint32(data[24:]))
	var sum float64
	samples := data[44:]
	for i := 0; i+1 < len(samples); i += 2 {
		v := float64(int16(binary.LittleEndian.Uint16(samples[i:]))) / math.MaxInt16
		sum += v * v
	}
	n := float64(len(samples) / 2)
	return n / rate, math.Sqrt(sum / n)
}

// TestEspeakNG renders a text with the real engine and measures the sound.
func TestEspeakNG(t *testing.T) {
	dir := t.TempDir()
	measure := func(u speech.Utterance) (seconds, loudness float64) {
		t.Helper()
		file := filepath.Join(dir, "speech.wav")
		s, err := speech.Open(toFile(file))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Say(u)
		if err := <-s.Results(); err != nil {
			t.Fatal(err)
		}
		return sound(t, file)
	}
	short, normal := measure(speech.Utterance{Voice: "nb", Volume: speech.Normal, Text: "Sett inn kortet."})
	long, _ := measure(speech.Utterance{Voice: "nb", Volume: speech.Normal, Text: "Sett inn kortet. Brikken skal fram og opp. Spør betjeningen om hjelp."})
	_, loud := measure(speech.Utterance{Voice: "nb", Volume: speech.Loud, Text: "Sett inn kortet."})
	_, quiet := measure(speech.Utterance{Voice: "nb", Volume: speech.Quiet, Text: "Sett inn kortet."})
	english, _ := measure(speech.Utterance{Voice: "en-gb", Volume: speech.Normal, Text: "Insert your card."})
	if short < 0.5 || long < 2*short || english < 0.5 {
		t.Errorf("a short text takes %.2f s, a long one %.2f s, an English one %.2f s", short, long, english)
	}
	if quiet < 0.001 || normal < 1.5*quiet || loud < 1.2*normal {
		t.Errorf("quiet speech measures %.4f, normal %.4f, loud %.4f", quiet, normal, loud)
	}
}

// TestErrors checks what a technician reads when nothing can be heard.
func TestErrors(t *testing.T) {
	t.Setenv("ALSA_CONFIG_PATH", os.DevNull) // no sound device on any machine
	t.Setenv("PULSE_SERVER", "/nonexistent")
	for _, tt := range []struct {
		name    string
		command []string
		voice   string
		want    string
	}{
		{"no such voice", toFile(filepath.Join(t.TempDir(), "x.wav")), "xx", "cannot speak with espeak-ng: Error: The specified espeak-ng voice does not exist."},
		{"no sound device", speech.EspeakNG, "nb", "cannot speak with espeak-ng: "},
		{"a program that fails", []string{"sh", "-c", "cat > /dev/null; exit 3"}, "nb", "cannot speak with sh: exit status 3"},
		{"a program that complains", []string{"sh", "-c", "echo no device >&2"}, "nb", "cannot speak with sh: no device"},
	} {
		s, err := speech.Open(tt.command)
		if err != nil {
			t.Fatal(err)
		}
		s.Say(speech.Utterance{Voice: tt.voice, Volume: speech.Normal, Text: "Hei."})
		if err := <-s.Results(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		s.Close()
	}
	for want, command := range map[string][]string{
		"cannot open speech: the engine's command is empty":                              nil,
		`cannot open speech: exec: "no-such-engine": executable file not found in $PATH`: {"no-such-engine"},
	} {
		if _, err := speech.Open(command); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestLatestText checks that a new text stops the one that is being spoken, and that
// silence and Close do the same. The engine tells of its begin and its end by a pipe.
func TestLatestText(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	next := func() string {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		return lines.Text()
	}
	// The shell waits in wait, which a signal interrupts at once.
	script := `read -r text; trap 'kill $!; echo "$0 $1 ends $text" >> ` + pipe + `; exit' TERM; sleep 1000 & echo "$0 $1 begins $text" >> ` + pipe + `; wait`
	s, err := speech.Open([]string{"sh", "-c", script, "{voice}", "{volume}"})
	if err != nil {
		t.Fatal(err)
	}
	s.Say(speech.Utterance{Voice: "nb", Volume: 100, Text: "one\n"})
	got := []string{next()}
	s.Say(speech.Utterance{Voice: "en-gb", Volume: 40, Text: "two\n"})
	got = append(got, next(), next())
	s.Say(speech.Utterance{})
	got = append(got, next())
	s.Say(speech.Utterance{Voice: "nb", Volume: 200, Text: "three\n"})
	got = append(got, next())
	s.Close()
	got = append(got, next())
	want := []string{
		"nb 100 begins one", "nb 100 ends one", "en-gb 40 begins two", "en-gb 40 ends two", "nb 200 begins three", "nb 200 ends three",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the engine reports\n%q, want\n%q", got, want)
	}
}

// TestScreens renders what the kiosk says about each screen, in each language that has
// a voice, and checks that every text can be heard whole.
func TestScreens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "speech.wav")
	s, err := speech.Open(toFile(file))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for language, voice := range map[string]string{"nb": "nb", "nn": "nb", "en": "en-gb"} {
		spoken, err := os.ReadFile("../../kiosk/screen/testdata/" + language + "-spoken.txt")
		if err != nil {
			t.Fatal(err)
		}
		texts := 0
		for line := range strings.Lines(string(spoken)) {
			text, isText := strings.CutPrefix(line, "    ")
			if !isText {
				continue
			}
			texts++
			s.Say(speech.Utterance{Voice: voice, Volume: speech.Normal, Text: text})
			if err := <-s.Results(); err != nil {
				t.Fatal(err)
			}
			seconds, loudness := sound(t, file)
			// People speak 10 to 20 letters a second.
			if least := float64(len([]rune(text))) / 30; seconds < least || seconds > 10*least || loudness < 0.01 {
				t.Errorf("%s: %q takes %.1f s at a loudness of %.3f", language, text, seconds, loudness)
			}
		}
		if texts < 30 {
			t.Errorf("%s has %d texts", language, texts)
		}
	}
}
