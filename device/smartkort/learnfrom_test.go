package smartkort_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// said makes a recording: commands and responses in turn. "reset" stands for itself.
func said(t testing.TB, lines ...string) script.Script {
	t.Helper()
	s := script.Script{ATR: []byte{0x3B, 0x00}}
	reset := false
	for i := 0; i < len(lines); i++ {
		if lines[i] == "reset" {
			reset = true
			continue
		}
		step := script.Step{Comment: "command", Reset: reset}
		var err error
		if step.Command, err = hex.DecodeString(strings.ReplaceAll(lines[i], " ", "")); err != nil {
			t.Fatal(err)
		}
		i++
		if step.Response, err = hex.DecodeString(strings.ReplaceAll(lines[i], " ", "")); err != nil {
			t.Fatal(err)
		}
		s.Steps = append(s.Steps, step)
		reset = false
	}
	return s
}

// Commands of a login, each with its response.
var (
	verifyA0  = []string{"A0 20 00 82 08 30 00 00 00 00 00 00 FF", "9000"}
	mse       = []string{"00 22 41 B6 03 84 01 01", "9000"}
	zeros     = strings.Repeat("00", 32)
	signInfo  = []string{"00 2A 9E 9A 33 3031300D060960864801650304020105000420" + zeros, strings.Repeat("00", 256) + "9000"}
	signHash  = []string{"00 2A 9E 9A 20" + zeros, strings.Repeat("00", 64) + "9000"}
	block     = "0001" + strings.Repeat("FF", 202) + "003031300D060960864801650304020105000420" + zeros
	signBlock = []string{"10 2A 9E 9A FF" + block[:510], "9000", "00 2A 9E 9A 01 00 00", strings.Repeat("00", 256) + "9000"}
	file      = []string{"00 A4 08 0C 04 50 15 4B 01", "9000"}
)

func joinSteps(parts ...[]string) []string { return slices.Concat(parts...) }

// TestLearnFromForms makes profiles of recordings that address the PIN and the key in
// different ways. want and unsure are lines of the profile.
func TestLearnFromForms(t *testing.T) {
	for name, c := range map[string]struct {
		lines  []string
		want   []string
		unsure string
	}{
		"by path": {
			joinSteps([]string{"00 A4 08 00 02 50 15", "9000"}, verifyA0, mse, signInfo),
			[]string{`path = "3F005015"`, "classes = [0xA0]", "reference = 0x82", `recipe = "digest-info"`}, "no certificate was read as a whole"},
		"step by step": {
			joinSteps([]string{"00 A4 00 00 00", "9000", "00 A4 00 00 02 50 15", "9000", "00 A4 00 00 02 45 01", "9000", "00 B0 00 00 04", "30820300 9000"}, verifyA0, mse, signInfo),
			[]string{`path = "3F005015"`}, ""},
		"a file by its control information": {
			joinSteps([]string{"00 A4 00 00 02 50 15", "6F03820138 9000", "00 A4 00 00 02 45 01", "6F03820101 9000"}, verifyA0, mse, signInfo),
			[]string{`path = "3F005015"`}, ""},
		"by AID": {
			joinSteps([]string{"00 A4 04 00 05 A0 00 00 00 01", "9000"}, verifyA0, mse, signInfo),
			[]string{`aid = "A000000001"`}, ""},
		"below an AID": {
			joinSteps([]string{"00 A4 04 00 05 A0 00 00 00 01", "9000", "00 A4 01 00 02 50 15", "9000"}, verifyA0, mse, signInfo),
			[]string{`aid = "A000000001"`}, "the application is a DF below the AID A000000001"},
		"the MF": {joinSteps(verifyA0, mse, signInfo), []string{"[application]\n\n"}, ""},
		"another SELECT fails": {
			joinSteps([]string{"00 A4 08 00 02 50 15", "9000", "00 A4 08 00 02 60 15", "6A82"}, verifyA0, mse, signInfo),
			[]string{`path = "3F005015"`}, ""},
		"after a reset": {
			joinSteps([]string{"00 A4 08 00 02 50 15", "9000", "reset"}, verifyA0, mse, signInfo),
			[]string{"[application]\n\n"}, ""},
		"PIN padded with 00": {
			joinSteps([]string{"00 20 00 01 08 30 00 00 00 00 00 00 00", "9000"}, mse, signInfo),
			[]string{`encoding = "ascii"`, "pad = 0x00", "stored = 8"}, "whether the PIN is padded with 00"},
		"PIN without padding": {
			joinSteps([]string{"00 20 00 01 04 30 00 00 00", "9000"}, mse, signInfo),
			[]string{"min = 4", "max = 4", "stored = 4"}, "every PIN has 4 digits"},
		"PIN in BCD": {
			joinSteps([]string{"00 20 00 01 08 00 00 00 00 00 00 00 FF", "9000"}, mse, signInfo),
			[]string{`encoding = "bcd"`, "pad = 0xFF"}, "not in ASCII digits; assumed: BCD"},
		"the bare hash":     {joinSteps(verifyA0, mse, signHash), []string{`key = "ec"`, `recipe = "hash"`}, "the key is EC"},
		"a block in pieces": {joinSteps(verifyA0, mse, signBlock), []string{`recipe = "block"`}, ""},
		"INTERNAL AUTHENTICATE": {
			joinSteps(verifyA0, []string{"00 22 41 A4 03 84 01 05", "9000", "00 88 00 00 20" + zeros, signInfo[1]}),
			[]string{`recipe = "internal-authenticate"`}, ""},
		"algorithm and file": {
			joinSteps(verifyA0, file, []string{"00 22 41 B6 0A 80 01 00 81 02 4B 01 84 01 00", "9000"}, signBlock),
			[]string{"algorithm = 0x00", `key_by = "selected-file"`}, "key files work only if"},
		"file and reference": {
			joinSteps(verifyA0, []string{"00 22 41 B6 07 81 02 4B 01 84 01 02", "9000"}, signInfo),
			[]string{`key_by = "file"`}, ""},
		"no security environment": {joinSteps(verifyA0, signInfo), nil, "no MANAGE SECURITY ENVIRONMENT was sent"},
		"a hash that the card made": {
			joinSteps(verifyA0, mse, []string{"00 2A 90 A0 02 00 00", "9000", "00 2A 9E AC 00", signInfo[1]}), nil, "asked for with P2 AC"},
		"a finished hash": {
			joinSteps(verifyA0, mse, []string{"00 2A 90 A0 22 90 20" + zeros, "9000", "00 2A 9E 9A 00", signHash[1]}), []string{`recipe = "hash-command"`}, ""},
		"another class": {
			joinSteps(verifyA0, []string{"A0 22 41 B6 03 84 01 01", "9000", "A0" + signInfo[0][2:], signInfo[1]}), []string{`recipe = "digest-info"` + "\nclass = 0xA0"}, ""},
		"two classes": {
			joinSteps(verifyA0, mse, []string{"80" + signInfo[0][2:], signInfo[1]}), []string{"class = 0x80"}, "was sent in class 00; the driver sends it in class 80"},
		"a signature without data": {
			joinSteps(verifyA0, mse, []string{"00 2A 9E 9A 00", signInfo[1]}), nil, "what was signed: 0 bytes"},
		"change and unblock": {
			joinSteps(verifyA0, mse, signInfo, []string{"A0 24 00 82 10" + zeros[:32], "9000", "00 2C 00 82 10" + zeros[:32], "9000"}),
			[]string{"recipe = \"change-reference-data\"\nclasses = [0xA0]", "recipe = \"reset-retry-counter\"\nclasses = [0x00]"}, ""},
		"the second login": {
			joinSteps(verifyA0, mse, signInfo, []string{"reset", "00 20 00 05 08 30 00 00 00 00 00 00 FF", "9000", "00 22 41 B6 03 84 01 07", "9000"}, signInfo),
			[]string{"reference = 0x05"}, ""},
		"data fetched by the page": {
			joinSteps([]string{"00 A4 00 00 02 50 15", "6105", "00 C0 00 00 05", "6F03820138 9000"}, verifyA0, mse,
				[]string{signInfo[0], "6180", "00 C0 00 00 80", zeros + zeros + zeros + zeros + "6180", "00 C0 00 00 80", zeros + zeros + zeros + zeros + "9000"}),
			[]string{`path = "3F005015"`, `key = "rsa"`}, ""},
		"secure messaging": {joinSteps([]string{"0C A4 08 00 02 50 15", "9000"}, verifyA0, mse, signInfo), nil, "secure messaging"},
		"records":          {joinSteps([]string{"00 B2 01 04 00", "0102 9000"}, verifyA0, mse, signInfo), nil, "read records"},
	} {
		t.Run(name, func(t *testing.T) {
			learned, err := smartkort.LearnFrom(said(t, c.lines...), "learned")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(learned.Profile, want) {
					t.Errorf("no %s in\n%s", want, learned.Profile)
				}
			}
			if !strings.Contains(strings.Join(learned.Unsure, "\n"), c.unsure) {
				t.Errorf("unsure: %q", learned.Unsure)
			}
		})
	}
}

// tape records what goes over a connection.
type tape struct {
	slot.Conn
	session *recording.Session
}

func (c tape) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	sent, err := apdu.Parse(command)
	if err != nil {
		return nil, err
	}
	answer, err := c.Conn.Transmit(ctx, command)
	r, _ := apdu.ParseResponse(answer)
	c.session.Add(sent, r, err == nil)
	return answer, err
}

// TestLearnFromKinds records a visit with each kind of card, and makes another visit by
// what was learned from the recording. The card accepts the first way of signing.
func TestLearnFromKinds(t *testing.T) {
	kinds := newKinds(t)
	kinds["smartkort"] = testpki.Kind{Card: newPKI(t).Cards["valid"]}
	for _, name := range []string{cardsim.PIV, cardsim.EstEID, cardsim.FinEID} {
		delete(kinds, name) // LearnFrom knows neither data objects, paths in an application, nor PSO: HASH
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			pin := testpki.PIN
			if name == cardsim.T1 {
				pin = testpki.LongPIN
			}
			path := filepath.Join(t.TempDir(), "login.txt")
			recorder := recording.New(path, slog.New(slog.DiscardHandler))
			if err := recorder.Start(); err != nil {
				t.Fatal(err)
			}
			conn := connect(t, k.Card).Conn
			session := recorder.Begin(conn.ATR())
			if _, err := tryVisit(t, smartkort.Driver{}, &line{Conn: tape{conn, session}}, pin); err != nil {
				t.Fatal(err)
			}
			session.End()
			recorder.Stop()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			recorded, err := script.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			learned, err := smartkort.LearnFrom(recorded, "official")
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			a := alter(t, connect(t, k.Card).Conn)
			mse := 0
			a.answer = func(_ *altered, command []byte) []byte {
				if command[1] == 0x22 {
					mse++
				}
				return nil
			}
			if _, err := tryVisit(t, driverWith(t, learned.Profile), &line{Conn: a}, pin); err != nil || mse != 1 {
				t.Errorf("with the learned profile: %v, %d recipes\n%s", err, mse, learned.Profile)
			}
		})
	}
}

// TestLearnFromRefuses lists recordings of which no profile can be made, with the error
// that each gets.
func TestLearnFromRefuses(t *testing.T) {
	refused := []string{verifyA0[0], "63C2"}
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"nothing":                   {nil, "a VERIFY that the card accepted is not in the recording"},
		"no PIN":                    {joinSteps(mse, signInfo), "a VERIFY that the card accepted is not in the recording"},
		"a wrong PIN":               {joinSteps(refused, mse, signInfo), "a VERIFY that the card accepted is not in the recording"},
		"tries left":                {joinSteps([]string{"00 20 00 82", "9000"}, mse, signInfo), "a VERIFY that the card accepted is not in the recording"},
		"no signature":              {joinSteps(verifyA0, mse), "a signature after the PIN is not in the recording"},
		"a refused signature":       {joinSteps(verifyA0, mse, []string{signInfo[0], "6982"}), "a signature after the PIN is not in the recording"},
		"a signature before":        {joinSteps(mse, signInfo, verifyA0), "a signature after the PIN is not in the recording"},
		"a wrong PIN before":        {joinSteps(verifyA0, refused, mse, signInfo), "a signature after the PIN is not in the recording"},
		"a session between":         {joinSteps(verifyA0, []string{"reset"}, mse, signInfo), "a signature after the PIN is not in the recording"},
		"deciphered only":           {joinSteps(verifyA0, mse, []string{"00 2A 80 86 20" + zeros, signInfo[1]}), "a signature after the PIN is not in the recording"},
		"a PIN of 200 bytes":        {joinSteps([]string{"00 20 00 82 C8 30" + strings.Repeat("00", 198) + "FF", "9000"}, mse, signInfo), "do not fit in 200 bytes"},
		"an AID of 2 bytes":         {joinSteps([]string{"00 A4 04 00 02 A0 00", "9000"}, verifyA0, mse, signInfo), "not an AID of 5 to 16 bytes"},
		"commands that are no APDU": {joinSteps([]string{"00 A4", "9000", "00 B0 00 00 04", "90"}), "a VERIFY that the card accepted is not in the recording"},
	} {
		_, err := smartkort.LearnFrom(said(t, c.lines...), "learned")
		if err == nil || !strings.HasPrefix(err.Error(), "cannot learn from recording: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if absent := strings.HasSuffix(c.want, "not in the recording"); absent != errors.Is(err, smartkort.ErrNotRecorded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := smartkort.LearnFrom(script.Script{}, "learned"); !errors.Is(err, smartkort.ErrNotRecorded) || !strings.Contains(err.Error(), "answer to reset") {
		t.Errorf("no answer to reset: %v", err)
	}
}

// FuzzLearnFrom: a recording gives a profile that can be loaded, or an error.
func FuzzLearnFrom(f *testing.F) {
	for _, l := range [][]string{
		joinSteps([]string{"00 A4 08 00 02 50 15", "9000"}, verifyA0, mse, signInfo),
		joinSteps(verifyA0, file, []string{"00 22 41 B6 0A 80 01 00 81 02 4B 01 84 01 00", "9000"}, signBlock),
		joinSteps([]string{"00 A4 04 00 05 A0 00 00 00 01", "6F03820138 9000", "00 B0 00 00 04", "30820300 9000"}, verifyA0, mse, signHash),
	} {
		f.Add(said(f, l...).String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := script.Parse(text)
		if err != nil {
			return
		}
		learned, err := smartkort.LearnFrom(s, "learned")
		if err != nil {
			return
		}
		p, err := smartkort.ParseProfile([]byte(learned.Profile))
		if err != nil || len(p.Sign) != 1 || len(p.Match.ATR) != 1 || p.Match.ATR[0] != fmt.Sprintf("%X", s.ATR) {
			t.Fatalf("%v\n%s", err, learned.Profile)
		}
	})
}
