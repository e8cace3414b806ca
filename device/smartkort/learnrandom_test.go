package smartkort_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// inventor draws kinds of card.
type inventor struct{ rsa, p256, p384 cardsim.Key }

func newInventor(t *testing.T) inventor {
	k := newKinds(t)
	return inventor{
		rsa:  newPKI(t).Cards["valid"].Image().Keys["authentication"],
		p256: k[cardsim.TwoPIN].Card.Image().Keys["authentication"],
		p384: k[cardsim.FinEID].Card.Image().Keys["authentication"],
	}
}

// isoApplet is the AID of an applet that a profile names.
const isoApplet = "\xF2\x76\xA2\x88\xBC\xFB\xA6\x9D\x34\xF3\x10\x01"

// invent draws a kind of card and the personalisation of one card of it.
func (in inventor) invent(t *rapid.T) (k cardsim.Invention, image cardsim.Image) {
	class := rapid.SampledFrom([]byte{0x00, 0x00, 0xA0, 0x80})
	byteOf := func(name string) byte { return rapid.Byte().Draw(t, name) }
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	rarely := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name) == 0 }
	k = cardsim.Invention{
		ATR:      append([]byte{0x3B, 0x64, 0x00, 0x00}, rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "historical bytes")...),
		DF:       rapid.SampledFrom([]uint16{0x5015, 0x5015, 0x5015, 0xADF1}).Draw(t, "DF"),
		Files:    rapid.SampledFrom([]uint16{0x4401, 0x0010, 0xC000, 0x3100}).Draw(t, "files"),
		Relative: yes("relative paths"), ShortIDs: yes("short identifiers"),
		SizeTag: rapid.SampledFrom([]byte{0x80, 0x81}).Draw(t, "size tag"),
		Filled:  rapid.SampledFrom([]int{0, 300, 600}).Draw(t, "size"), Filler: rapid.SampledFrom([]byte{0x00, 0xFF}).Draw(t, "filler"),

		PINClass: class.Draw(t, "PIN class"), OnlyPINClass: yes("only the PIN class"),
		PINReference: byteOf("PIN reference"), GlobalPIN: yes("global PIN"), BCD: yes("BCD"),
		Pad: rapid.SampledFrom([]byte{0x00, 0xFF, 0x20}).Draw(t, "padding"),

		SignClass: class.Draw(t, "signing class"), KeyReference: byteOf("key reference"),
		KeyBy:   rapid.SampledFrom([]string{"", "", "file", "selected-file"}).Draw(t, "key by"),
		Refusal: rapid.SampledFrom(refusals).Draw(t, "refusal"),
		DER:     yes("DER"), SignsWrong: yes("wrong signatures"), ForgetsPIN: rarely("forgets the PIN"),
	}
	if k.T1 = yes("T=1"); k.T1 {
		k.ATR = append([]byte{0x3B, 0x84, 0x81, 0x31, 0xFE, 0x45}, k.ATR[4:]...)
		check := byte(0)
		for _, b := range k.ATR[1:] {
			check ^= b
		}
		k.ATR = append(k.ATR, check)
	}
	switch rapid.IntRange(0, 3).Draw(t, "way to the application") {
	case 0:
		k.AID = []byte("\xA0\x00\x00\x00\x63PKCS-15")
	case 1:
		k.AID = rapid.SliceOfN(rapid.Byte(), 5, 16).Draw(t, "AID")
	case 2:
		k.Applet = []byte(isoApplet)
	}
	if rarely("hidden in an applet") {
		k.Applet = []byte("\xF0no profile")
	}
	// A card that spends tries must tell how many are left.
	k.SpendsTry = rarely("spends a try") && !(k.OnlyPINClass && k.PINClass != 0)
	k.PUKReference = k.PINReference ^ 0x01
	k.Min = rapid.IntRange(1, 6).Draw(t, "least digits")
	k.Max = rapid.IntRange(max(k.Min, 4), 12).Draw(t, "most digits")
	k.Stored = rapid.IntRange(k.Max, 16).Draw(t, "bytes")
	if k.BCD {
		k.Stored = (k.Max + 1) / 2
		k.Min, k.Max = 2*k.Stored, 2*k.Stored
	}

	key := in.rsa
	forms := []string{"digest-info", "block", "hash", "hash-command", "internal-authenticate", "none"}
	if which := rapid.IntRange(0, 3).Draw(t, "key"); which > 1 {
		key, forms = []cardsim.Key{in.p256, in.p384}[which-2], []string{"hash", "hash-command", "internal-authenticate", "none"}
	}
	k.Form = rapid.SampledFrom(forms).Draw(t, "form")
	if k.Form == "hash-command" { // the driver must know the length of the answer
		k.DER = false
	}
	k.Algorithm = rapid.SampledFrom([]int{-1, 0x00, 0x02, 0x04, 0x11, 0x21, 0x42, 0x77}).Draw(t, "algorithm")
	k.Described = k.KeyBy == "" && k.Algorithm >= 0 && k.Form != "internal-authenticate" && k.Form != "hash-command" && k.Form != "none" && yes("described")
	return k, cardsim.Image{
		Serial: []byte{0x01}, Keys: map[string]cardsim.Key{"authentication": key},
		PINs: map[string]cardsim.PIN{"pin": {Value: []byte("123456789012")[:max(k.Min, 4)], Left: 3}, "puk": {Value: []byte(testpki.PUK), Left: 3}},
	}
}

// TestLearnRandomKinds learns 500 kinds of card that were drawn at random, or is refused
// with the reason that the kind gives. The card itself counts the tries.
func TestLearnRandomKinds(t *testing.T) {
	in := newInventor(t)
	count := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range 5 {
			k, image := in.invent(rt)
			count["all"]++
			count[in.learn(t, rt, k, image)]++
		}
	})
	t.Logf("kinds: %v", count)
	for _, result := range []string{"learned", "learned in several lessons", "forgets the PIN", "spends a try", "signs nothing", "not found"} {
		if count[result] == 0 {
			t.Errorf("no kind that is %s", result)
		}
	}
	if count["all"] < 500 || count["learned"] < count["all"]/4 {
		t.Errorf("kinds: %v", count)
	}
}

// learn learns one kind and visits it with what was learned. It returns the result in
// words.
func (in inventor) learn(t *testing.T, rt *rapid.T, k cardsim.Invention, image cardsim.Image) string {
	pin := string(image.PINs["pin"].Value)
	connectTo := func() (*cardsim.Card, *pulledLine) {
		card, err := cardsim.Invent(k, image)
		if err != nil {
			rt.Fatalf("%+v: %v", k, err)
		}
		return card, &pulledLine{Conn: connect(t, card).Conn, at: 1 << 20}
	}
	l := lesson(pin)
	result := "learned"
	for lessons := 1; ; lessons++ {
		card, conn := connectTo()
		learned, err := smartkort.Driver{}.Learn(rt.Context(), conn, l)
		spent := 3 - card.Image().PINs["pin"].Left
		if conn.verifies > 1 || conn.sent > 300 || spent > 1 || spent == 1 && !errors.Is(err, smartkort.ErrTrySpent) || card.Image().PINs["puk"].Left != 3 {
			rt.Fatalf("%+v: %d VERIFY, %d tries spent, %d APDUs, %v", k, conn.verifies, spent, conn.sent, err)
		}
		found := string(k.Applet) != "\xF0no profile" && (k.AID != nil || k.DF == 0x5015)
		switch {
		case err == nil:
			in.visit(t, rt, k, learned.Profile, pin, connectTo)
			return result
		case errors.Is(err, smartkort.ErrUnknownCard) && !found:
			return "not found"
		case errors.Is(err, smartkort.ErrNextRecipe) && k.ForgetsPIN:
			return "forgets the PIN"
		case errors.Is(err, smartkort.ErrTrySpent) && k.SpendsTry:
			return "spends a try"
		case errors.Is(err, smartkort.ErrLearnBound) && lessons < 10:
			if learned.Tried <= l.Skip {
				rt.Fatalf("%+v: %d recipes after %d: %v", k, learned.Tried, l.Skip, err)
			}
			l.Skip = learned.Tried
			result = "learned in several lessons"
		case k.Form == "none" || k.Algorithm == 0x77:
			return "signs nothing"
		default:
			rt.Fatalf("%+v: lesson %d: %v", k, lessons, err)
		}
	}
}

// visit signs with the learned profile, and knows the recipe at once.
func (in inventor) visit(t *testing.T, rt *rapid.T, k cardsim.Invention, profile, pin string, connectTo func() (*cardsim.Card, *pulledLine)) {
	card, conn := connectTo()
	counted := &line{Conn: conn}
	_, err := tryVisit(t, driverWith(t, profile), counted, pin)
	if mse := counted.count(0x22); err != nil || mse != 1 || card.Image().PINs["pin"].Left != 3 {
		rt.Fatalf("%+v, with the learned profile: %v, %d recipes\n%s", k, err, mse, profile)
	}
}
