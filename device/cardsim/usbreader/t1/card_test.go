package t1_test

import (
	"bytes"
	"strings"
	"testing"

	"smartkiosk/device/cardsim/usbreader/t1"
)

// talk compares a card's answers with a dialogue: a block of the reader, then the
// card's answer, "-" for no answer.
func talk(t *testing.T, c *t1.Card, lines ...string) {
	t.Helper()
	for i := 0; i < len(lines); i += 2 {
		got := c.Exchange(unhex(t, lines[i]))
		want := []byte(nil)
		if lines[i+1] != "-" {
			want = unhex(t, lines[i+1])
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d: to %s the card answers %X, want %s", i/2+1, lines[i], got, lines[i+1])
		}
	}
}

// echo is a card that answers with the command and 9000, and counts commands.
func echo(ifsc int) (card *t1.Card, count *int) {
	count = new(int)
	return t1.NewCard(ifsc, func(command []byte) []byte {
		*count++
		return append(bytes.Clone(command), 0x90, 0x00)
	}), count
}

// TestScenarios plays the scenarios of ISO 7816-3 annex A from the card's side:
// error-free and erroneous operation, chaining in both directions, IFS, WTX, abort and
// resynchronisation.
func TestScenarios(t *testing.T) {
	for name, c := range map[string]struct {
		commands int
		lines    []string
	}{
		"one after the other": {3, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 40 01 BB FA", "00 40 03 BB9000 68",
			"00 00 01 CC CD", "00 00 03 CC9000 5F",
		}},
		"node addresses turn": {1, []string{"21 00 01 AA 8A", "12 00 03 AA9000 2B"}},
		"chain to the card": {1, []string{
			"00 20 01 AA 8B", "00 90 00 90",
			"00 60 01 BB DA", "00 80 00 80",
			"00 00 01 CC CD", "00 00 05 AABBCC9000 48",
		}},
		"chain from the card": {1, []string{
			"00 C1 01 02 C2", "00 E1 01 02 E2",
			"00 00 03 AABBCC DE", "00 20 02 AABB 33",
			"00 90 00 90", "00 60 02 CC90 3E",
			"00 80 00 80", "00 00 01 00 01",
		}},
		"a block that came damaged": {1, []string{
			"00 00 01 AA AC", "00 81 00 81",
			"00 00 01 AA AB", "00 00 03 AA9000 39",
		}},
		"a block in the second place that came damaged": {2, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 40 01 BB FB", "00 91 00 91",
			"00 40 01 BB FA", "00 40 03 BB9000 68",
		}},
		"an answer that came damaged": {1, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 81 00 81", "00 00 03 AA9000 39",
			"00 82 00 82", "00 00 03 AA9000 39",
		}},
		"a piece of a chain that came damaged": {1, []string{
			"00 C1 01 02 C2", "00 E1 01 02 E2",
			"00 00 03 AABBCC DE", "00 20 02 AABB 33",
			"00 90 00 90", "00 60 02 CC90 3E",
			"00 91 00 91", "00 60 02 CC90 3E",
			"00 80 00 80", "00 00 01 00 01",
		}},
		"an acknowledgement that came damaged": {1, []string{
			"00 20 01 AA 8B", "00 90 00 90",
			"00 81 00 81", "00 90 00 90",
			"00 40 01 BB FA", "00 00 04 AABB9000 85",
		}},
		"a complaint that came damaged": {2, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 40 01 BB FB", "00 91 00 91",
			"00 91 00 91", "00 91 00 91",
			"00 40 01 BB FA", "00 40 03 BB9000 68",
		}},
		"a question for an answer, itself damaged": {1, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 81 00 80", "00 91 00 91",
			"00 81 00 81", "00 00 03 AA9000 39",
		}},
		"waiting time extension": {1, []string{
			"WTX 5", "",
			"00 00 01 AA AB", "00 C3 01 05 C7",
			"00 E3 01 05 E7", "00 00 03 AA9000 39",
		}},
		"a request for time that came damaged": {1, []string{
			"WTX 5", "",
			"00 00 01 AA AB", "00 C3 01 05 C7",
			"00 81 00 81", "00 C3 01 05 C7",
			"00 E3 01 05 E7", "00 00 03 AA9000 39",
		}},
		"a chain broken off by the reader": {1, []string{
			"00 20 01 AA 8B", "00 90 00 90",
			"00 C2 00 C2", "00 E2 00 E2",
			"00 40 01 BB FA", "00 00 03 BB9000 28",
		}},
		"resynchronised": {2, []string{
			"00 00 01 AA AB", "00 00 03 AA9000 39",
			"00 C0 00 C0", "00 E0 00 E0",
			"00 00 01 BB BA", "00 00 03 BB9000 28",
		}},
		"number out of order":           {0, []string{"00 40 01 AA EB", "00 82 00 82"}},
		"no block at all":               {0, []string{"00 A4 00 A4", "00 82 00 82"}},
		"more than fits":                {0, []string{"00 00 05 0102030405 04", "00 82 00 82"}},
		"information size of 0":         {0, []string{"00 C1 01 00 C0", "00 82 00 82"}},
		"information size of 255":       {0, []string{"00 C1 01 FF 3F", "00 82 00 82"}},
		"granted unasked":               {0, []string{"00 E3 01 05 E7", "00 82 00 82"}},
		"a reader that asks for time":   {0, []string{"00 C3 01 05 C7", "00 82 00 82"}},
		"nothing to repeat":             {0, []string{"00 80 00 80", "-"}},
		"a command in place of a piece": {1, []string{"00 C1 01 02 C2", "00 E1 01 02 E2", "00 00 01 AA AB", "00 20 02 AA90 18", "00 40 01 BB FA", "00 92 00 92"}},
	} {
		t.Run(name, func(t *testing.T) {
			card, count := echo(4)
			if c.lines[0] == "WTX 5" {
				card.AskTime(5)
				c.lines = c.lines[2:]
			}
			if talk(t, card, c.lines...); *count != c.commands {
				t.Errorf("%d commands carried out, want %d", *count, c.commands)
			}
		})
	}
}

// TestMute: a mute card sends no block.
func TestMute(t *testing.T) {
	talk(t, t1.NewCard(254, func([]byte) []byte { return nil }), "00 00 01 AA AB", "-", "00 80 00 80", "-")
}

// TestEndlessCommand: the card does not buffer a chain longer than any command.
func TestEndlessCommand(t *testing.T) {
	card, _ := echo(254)
	piece := func(n int) []byte {
		return t1.Block{PCB: t1.Information(byte(n&1), true), Information: make([]byte, 254)}.Bytes()
	}
	n := 0
	for card.Exchange(piece(n)) != nil {
		if n++; n > 259 {
			t.Fatalf("%d bytes taken", n*254)
		}
	}
	if n != 258 { // 258 · 254 is the last below 65,544
		t.Errorf("%d blocks taken", n)
	}
}

// FuzzCard sends any blocks to a card. Each has its length in one byte before it. If
// the first bit of that byte is set, the LRC is corrected. The card's answers must be
// valid blocks.
func FuzzCard(f *testing.F) {
	for _, s := range []string{
		"04 00C10102", "08 0000 05 0102030405", "03 009000", "03 00C000", "04 00C30105", "04 00200111", "03 00C200",
	} {
		b := unhex(f, strings.ReplaceAll(s, " ", ""))
		b[0] |= 0x80
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		card, _ := echo(40)
		card.AskTime(1)
		for len(script) > 0 {
			n, mend := min(int(script[0]&0x7F), len(script)-1), script[0]&0x80 != 0
			b := bytes.Clone(script[1 : 1+n])
			if script = script[1+n:]; mend {
				var sum byte
				for _, x := range b {
					sum ^= x
				}
				b = append(b, sum)
			}
			if answer := card.Exchange(b); answer != nil {
				if _, err := t1.Parse(answer); err != nil {
					t.Fatalf("%X answered by %X: %v", b, answer, err)
				}
			}
		}
	})
}
