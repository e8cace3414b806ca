package smartkort_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"smartkiosk/device/apdu/tlv"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
)

// objectsOf splits a file into its objects.
func objectsOf(b []byte) (all [][]byte) {
	for o, err := range tlv.Objects(b) {
		if err != nil {
			panic(err)
		}
		all = append(all, o.Raw)
	}
	return all
}

// within edits the elements inside the value of one object.
func within(object []byte, edit func(elements [][]byte) [][]byte) []byte {
	o, _, err := tlv.Next(object)
	if err != nil {
		panic(err)
	}
	return tlv.Append(nil, o.Tag, bytes.Join(edit(objectsOf(o.Value)), nil)...)
}

// algorithmInfo is an AlgorithmInfo with these parameters and this objId.
func algorithmInfo(parameters, oid string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll("020109 02021041"+parameters+"03020640"+oid+"020109", " ", ""))
	if err != nil {
		panic(err)
	}
	return object(0x30, b)
}

// addAlgorithm adds an AlgorithmInfo to EF.TokenInfo.
func addAlgorithm(info []byte) func([]byte) []byte {
	return func(file []byte) []byte {
		return within(file, func(elements [][]byte) [][]byte {
			for i, e := range elements {
				if e[0] == 0xA2 {
					elements[i] = within(e, func(algorithms [][]byte) [][]byte { return append(algorithms, info) })
				}
			}
			return elements
		})
	}
}

// passwordType sets pwdType of the PUK, the second object of the PIN directory.
func passwordType(kind byte) func([]byte) []byte {
	return func(file []byte) []byte {
		objects := objectsOf(file)
		objects[1] = within(objects[1], func(e [][]byte) [][]byte {
			e[2] = within(e[2], func(e [][]byte) [][]byte {
				e[0] = within(e[0], func(e [][]byte) [][]byte {
					e[1] = []byte{0x0A, 1, kind}
					return e
				})
				return e
			})
			return e
		})
		return bytes.Join(objects, nil)
	}
}

// TestOddInformation has oddities of real cards in information that a visit
// does not need.
func TestOddInformation(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		file uint16
		edit func([]byte) []byte
	}{
		"a curve as the parameters of an algorithm (CardOS 5)": {0x5032, addAlgorithm(algorithmInfo("06082A8648CE3D030107", "06072A8648CE3D0201"))},
		"an algorithm without parameters":                      {0x5032, addAlgorithm(algorithmInfo("", "0609608648016503 04012A"))},
		"an OCTET STRING as parameters":                        {0x5032, addAlgorithm(algorithmInfo("04080000000000000000", "06082A864886F70D0307"))},
		"an algorithm that is no SEQUENCE":                     {0x5032, addAlgorithm([]byte{0x04, 1, 0})},
		"EF.TokenInfo with nothing that can be decoded":        {0x5032, func([]byte) []byte { return []byte{0x04, 2, 1, 2} }},
		"EF.TokenInfo cut short":                               {0x5032, func(b []byte) []byte { return b[:len(b)-5] }},
		"a PUK in half-nibble BCD":                             {0x4401, passwordType(3)},
		"a PUK by ISO 9564-1":                                  {0x4401, passwordType(4)},
		"a PIN directory that ends inside the PUK":             {0x4401, func(b []byte) []byte { return b[:len(b)-3] }},
	} {
		t.Run(name, func(t *testing.T) {
			a := alter(t, connect(t, p.Cards["valid"]).Conn)
			a.edit[c.file] = c.edit
			if _, err := tryVisit(t, smartkort.Driver{}, &line{Conn: a}, testpki.PIN); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOptionalInformation puts random objects into the directories of a card and
// replaces the content of those that a visit does not use. The visit must
// succeed as if they were not there, and Describe must list something.
func TestOptionalInformation(t *testing.T) {
	p := newPKI(t)
	rapid.Check(t, func(rt *rapid.T) {
		random := func(tag uint32) []byte {
			return object(tag, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "content"))
		}
		file := rapid.SampledFrom([]uint16{0x5031, 0x5032, 0x4401, 0x4402, 0x4403}).Draw(rt, "file")
		replace := rapid.Bool().Draw(rt, "replace an object that is not used")
		edit := func(b []byte) []byte {
			objects := objectsOf(b)
			switch {
			case file == 0x5032:
				return addAlgorithm(random(0x30))(b)
			case file == 0x5031: // a directory of data objects or secret keys
				tag := rapid.SampledFrom([]uint32{0xA3, 0xA7, 0xA5, 0xA6}).Draw(rt, "tag")
				objects = append(objects, random(tag))
			case replace: // the PUK, the signature key, its certificate
				objects[1] = random(0x30)
			default:
				objects = slices.Insert(objects, rapid.IntRange(0, 2).Draw(rt, "position"), random(0x30))
			}
			return bytes.Join(objects, nil)
		}
		a := alter(t, connect(t, p.Cards["valid"]).Conn)
		a.edit[file] = edit
		card, err := smartkort.Driver{}.Open(t.Context(), a)
		if err != nil {
			rt.Fatal(err)
		}
		defer card.Close()
		certs, err := card.AuthenticationCertificates(t.Context())
		if err != nil || len(certs) != 1 || !bytes.Equal(certs[0].DER, p.Holders["valid"].Authentication.Certificate.Raw) {
			rt.Fatalf("%d certificates, %v", len(certs), err)
		}
		if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
			rt.Fatal(err)
		}
		signer, err := card.Signer(t.Context(), certs[0])
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
			rt.Fatal(err)
		}
		if _, err := card.Describe(t.Context()); err != nil {
			rt.Error(err)
		}
	})
}

// TestProblemsAreReported checks that Describe lists what a visit skips.
func TestProblemsAreReported(t *testing.T) {
	a := alter(t, connect(t, newPKI(t).Cards["valid"]).Conn)
	a.edit[0x5032] = addAlgorithm([]byte{0x30, 1, 0})
	a.edit[0x4402] = func(b []byte) []byte { return append(b, 0x30, 2, 0x30, 0) }
	a.edit[0x4403] = func(b []byte) []byte { return append(b, 0x30, 2, 0x30, 0) }
	card, err := smartkort.Driver{}.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	d, err := card.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EF.TokenInfo: malformed card data: algorithm 2", "private key directory: object 3", "certificate directory: object 3"} {
		if !slices.ContainsFunc(d.Problems, func(err error) bool { return strings.HasPrefix(err.Error(), want) }) {
			t.Errorf("no problem starts with %q: %v", want, d.Problems)
		}
	}
}

// TestChosenPINIsStrict: the PIN of the key must be described correctly. The driver
// does not try another PIN in its place.
func TestChosenPINIsStrict(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"invalid object": func(b []byte) []byte {
			objects := objectsOf(b)
			objects[0] = []byte{0x30, 2, 0x30, 0}
			return bytes.Join(objects, nil)
		},
		"unsupported encoding": func(b []byte) []byte {
			objects := objectsOf(b)
			objects[0], objects[1] = objects[1], objects[0]
			b = passwordType(4)(bytes.Join(objects, nil))
			return b
		},
	} {
		a := alter(t, connect(t, newPKI(t).Cards["valid"]).Conn)
		a.edit[0x4401] = edit
		_, err := tryVisit(t, smartkort.Driver{}, &line{Conn: a}, testpki.PIN)
		if !errors.Is(err, smartkort.ErrNoPIN) && !errors.Is(err, smartkort.ErrPINEncoding) || a.wrong > 0 {
			t.Errorf("%s: %v, %d wrong PINs sent", name, err, a.wrong)
		}
	}
}
