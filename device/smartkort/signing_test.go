package smartkort_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// policy is how a card signs: a software Smartkort with the signing commands of
// another kind.
type policy struct {
	form      string // as in a profile
	algorithm int    // in MSE SET, -1 for none
	keyBy     string // as in a profile
	refusal   apdu.Status
	drops     bool // a refused command makes the card forget the PIN
	counts    bool // a refused command also spends a try
	wrong     bool // refused data gives a wrong signature instead of a status

	private  *rsa.PrivateKey
	file     uint16 // the selected file
	chosen   bool   // MSE SET named the key
	verified bool
	spent    int // tries that refused commands spent
	chain    []byte
	attempts int // MSE SET commands
	verifies int // VERIFY commands with a PIN
}

const keyFile = 0x4B01

// signing returns a connection to a card with this policy.
func signing(t testing.TB, p *testpki.PKI, pol *policy) *altered {
	t.Helper()
	s := cardsim.NewSlot("slot")
	card, err := cardsim.New(p.Cards["valid"].Image())
	if err != nil {
		t.Fatal(err)
	}
	s.Insert(card)
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := alter(t, conn)
	pol.private = p.Holders["valid"].Authentication.Key
	pol.chosen, pol.verified, pol.chain = false, false, nil
	a.edit[0x5032] = func(b []byte) []byte {
		return within(b, func(elements [][]byte) [][]byte {
			return slices.DeleteFunc(elements, func(e []byte) bool { return e[0] == 0xA2 })
		})
	}
	a.edit[0x4402] = func([]byte) []byte { return pol.keyDirectory() }
	a.answer = pol.answer
	return a
}

// keyDirectory has one key, without algorithms.
func (p *policy) keyDirectory() []byte {
	location, reference := path("\x3F\x00\x50\x15"), object(0x02, []byte{0x01})
	if p.keyBy != "" {
		location = path("\x3F\x00\x50\x15\x4B\x01")
	}
	if p.keyBy == "selected-file" {
		reference = nil
	}
	return object(0x30,
		object(0x30, object(0x0C, []byte("Key")), bits(7, 0x80), object(0x04, []byte{0x01})),
		object(0x30, object(0x04, []byte{0x45}), bits(5, 0x20), bits(4, 0xB0), reference),
		object(0xA1, object(0x30, location, object(0x02, []byte{0x08, 0x00}))))
}

func (p *policy) answer(a *altered, command []byte) []byte {
	c, err := apdu.Parse(command)
	if err != nil {
		return nil
	}
	switch {
	case c.INS == 0xA4:
		p.file = a.file
		if a.file == keyFile {
			return status(0x9000)
		}
	case c.INS == insVerify && len(c.Data) == 0 && p.spent > 0:
		return status(0x63C0 | uint16(3-p.spent))
	case c.INS == insVerify && len(c.Data) == 0 && !p.verified && p.attempts > 0:
		return status(0x63C3)
	case c.INS == insVerify && len(c.Data) > 0:
		p.verifies++
		r, _ := a.Conn.Transmit(context.Background(), command)
		p.verified = bytes.Equal(r, []byte{0x90, 0x00})
		return r
	case c.INS == 0x22:
		p.attempts++
		p.chosen = bytes.Equal(c.Data, p.environment()) && (p.keyBy != "selected-file" || p.file == keyFile) &&
			(c.P2 == 0xA4) == (p.form == "internal-authenticate")
		if !p.chosen {
			return p.refuse()
		}
		return status(0x9000)
	case c.INS == 0x2A || c.INS == 0x88:
		return p.sign(c)
	}
	return nil
}

func (p *policy) environment() []byte {
	var b []byte
	if p.algorithm >= 0 {
		b = tlv.Append(b, 0x80, byte(p.algorithm))
	}
	switch p.keyBy {
	case "file":
		b = append(b, 0x81, 2, 0x4B, 0x01, 0x84, 1, 1)
	case "selected-file":
		b = append(b, 0x81, 2, 0x4B, 0x01, 0x84, 1, 0)
	default:
		b = append(b, 0x84, 1, 1)
	}
	return b
}

func (p *policy) refuse() []byte {
	if p.drops {
		p.verified = false
	}
	if p.counts {
		p.spent++
		p.verified = false
	}
	return status(uint16(p.refusal))
}

var sha256Info = []byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")

func (p *policy) sign(c apdu.Command) []byte {
	if p.chain = append(p.chain, c.Data...); c.CLA&0x10 != 0 {
		return status(0x9000)
	}
	data := p.chain
	p.chain = nil
	if !p.verified {
		return status(0x6982)
	}
	valid := p.chosen
	switch p.form {
	case "digest-info", "internal-authenticate":
		valid = valid && len(data) == 51
	case "hash":
		valid = valid && len(data) == 32
		data = append(bytes.Clone(sha256Info), data...)
	case "block":
		valid = valid && len(data) == 256
	default: // signs nothing
		valid = false
	}
	if !valid && (!p.wrong || !p.chosen) {
		return p.refuse()
	}
	var signature []byte
	switch {
	case !valid:
		signature = make([]byte, 256)
	case p.form == "block":
		signature = new(big.Int).Exp(new(big.Int).SetBytes(data), p.private.D, p.private.N).FillBytes(make([]byte, 256))
	default:
		signature, _ = rsa.SignPKCS1v15(nil, p.private, crypto.Hash(0), data)
	}
	return append(signature, 0x90, 0x00)
}

var policies = []policy{
	{form: "digest-info", algorithm: -1},
	{form: "digest-info", algorithm: 0x02},
	{form: "digest-info", algorithm: 0x11},
	{form: "digest-info", algorithm: 0x02, keyBy: "selected-file"},
	{form: "digest-info", algorithm: -1, keyBy: "file"},
	{form: "block", algorithm: -1},
	{form: "block", algorithm: 0x00},
	{form: "block", algorithm: 0x00, keyBy: "selected-file"},
	{form: "hash", algorithm: -1},
	{form: "internal-authenticate", algorithm: -1},
}

var refusals = []apdu.Status{apdu.ReferenceNotUsable, apdu.ConditionsNotSatisfied, apdu.WrongData, apdu.FunctionUnsupported, apdu.ReferenceNotFound}

// TestNextRecipe: a visit finds the recipe of a card that does not describe it,
// whatever status the card returns for the others. The next visit with a card of the
// kind begins with that recipe. No PIN try is spent.
func TestNextRecipe(t *testing.T) {
	p := newPKI(t)
	rapid.Check(t, func(rt *rapid.T) {
		pol := rapid.SampledFrom(policies).Draw(rt, "policy")
		pol.refusal = rapid.SampledFrom(refusals).Draw(rt, "refusal")
		pol.wrong = pol.keyBy == "" && rapid.Bool().Draw(rt, "wrong signatures")
		cache, err := smartkort.NewCache(make([]byte, 32), nil)
		if err != nil {
			rt.Fatal(err)
		}
		for visit := 1; visit <= 2; visit++ {
			pol.attempts, pol.verifies = 0, 0
			a := signing(t, p, &pol)
			_, err := tryVisit(t, smartkort.Driver{Cache: cache}, &line{Conn: a}, testpki.PIN)
			if err != nil || pol.verifies != 1 || a.wrong > 0 || visit == 2 && pol.attempts != 1 {
				rt.Errorf("visit %d: %v, %d recipes tried, %d VERIFY", visit, err, pol.attempts, pol.verifies)
			}
		}
	})
}

// TestRecipeThatDropsThePIN: when the card forgets the PIN after a refused
// recipe, the visit ends, and each further visit begins with the next recipe
// until one works. The driver never sends a PIN of its own accord.
func TestRecipeThatDropsThePIN(t *testing.T) {
	p := newPKI(t)
	for _, pol := range policies {
		for _, counts := range []bool{false, true} {
			pol.refusal, pol.drops, pol.counts = apdu.ReferenceNotUsable, true, counts
			cache, err := smartkort.NewCache(make([]byte, 32), nil)
			if err != nil {
				t.Fatal(err)
			}
			visits := 0
			for err = smartkort.ErrNextRecipe; errors.Is(err, smartkort.ErrNextRecipe) && visits < 15; {
				visits++
				pol.attempts, pol.verifies, pol.spent = 0, 0, 0
				a := signing(t, p, &pol)
				_, err = tryVisit(t, smartkort.Driver{Cache: cache}, &line{Conn: a}, testpki.PIN)
				if pol.verifies != 1 || pol.attempts != 1 || pol.spent > 1 {
					t.Errorf("%+v, visit %d: %d VERIFY, %d recipes, %d tries spent", pol, visits, pol.verifies, pol.attempts, pol.spent)
				}
			}
			if err != nil {
				t.Errorf("%s %02X %s: after %d visits: %v", pol.form, pol.algorithm, pol.keyBy, visits, err)
			}
		}
	}
}

// TestNoRecipe: the driver stops after a bounded number of recipes if a card refuses
// them all, and after a few if all signatures are wrong.
func TestNoRecipe(t *testing.T) {
	p := newPKI(t)
	for _, wrong := range []bool{false, true} {
		pol := policy{form: "none", algorithm: -1, refusal: apdu.WrongData, wrong: wrong}
		_, err := tryVisit(t, smartkort.Driver{}, &line{Conn: signing(t, p, &pol)}, testpki.PIN)
		if most := map[bool]int{false: 12, true: 12}[wrong]; err == nil || pol.attempts > most || pol.verifies != 1 {
			t.Errorf("wrong signatures %v: %v, %d recipes, %d VERIFY", wrong, err, pol.attempts, pol.verifies)
		}
	}
}
