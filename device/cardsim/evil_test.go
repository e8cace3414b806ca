package cardsim_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"smartkiosk/device/cardsim"
)

// TestEvil shows the effect of each attack on a card that was good before.
func TestEvil(t *testing.T) {
	turned := func(e cardsim.Evil) *cardsim.Card {
		c := newPKI(t).Cards["valid"]
		c.PowerOn()
		c.TurnEvil(e)
		return c
	}

	play(t, turned(cardsim.EndlessMore), []step{
		{"00 A4 00 0C 02 3F00", "61FF", "more"},
		{"00 C0 00 00 FF", strings.Repeat("30", 255) + "61FF", "and more"},
		{"00 C0 00 00 00", strings.Repeat("30", 256) + "61FF", "and more"},
	})
	play(t, turned(cardsim.EndlessWrongLe), []step{
		{"00 B0 00 00 00", "6C01", "not that many"},
		{"00 B0 00 00 01", "6C00", "neither that many"},
		{"00 A4 08 0C 04 50155031", "9000", "the rest is as it was"},
	})
	play(t, turned(cardsim.LyingLengths), []step{
		{"00 A4 08 00 04 50154501", "6110", "SELECT the certificate"},
		{"00 C0 00 00 06", "6F0E 8002FFFF 610A", "64 KB, it says"},
		{"00 B0 00 00 0C", "30 847FFFFF00 30 84FFFFFFFF 9000", "2 GB, with 4 GB inside"},
		{"00 B0 7F FF 01", "6B00", "which are not there"},
	})
	loop := turned(cardsim.DirectoryLoop)
	for _, path := range []string{"50155031", "50154401", "50154402", "50154403", "50154404"} {
		play(t, loop, []step{
			{"00 A4 08 0C 04" + path, "9000", "SELECT a directory"},
			{"00 B0 00 00 0C", "A00A 3008 0406 3F0050155031 9000", "of EF.ODF"},
			{"00 B0 10 00 01", "…9000", "many times over"},
		})
	}
	play(t, loop, []step{
		{"00 A4 08 0C 02 2F00", "9000", "EF.DIR"},
		{"00 B0 00 00 0D", "610B 4F05A000000063 51023F00 9000", "leads to the MF"},
	})
	play(t, turned(cardsim.HugeCertificate), []step{
		{"00 A4 08 0C 04 50154501", "9000", "SELECT the certificate"},
		{"00 B0 00 00 06", "3084 00989680 9000", "10,000,000 bytes"},
		{"00 B0 7F FF 00", "…9000", "as far as one can see"},
		{"00 A4 08 0C 04 50154403", "9000", "SELECT the directory of certificates"},
		{"00 B0 00 00 01", "309000", "is as it was"},
	})

	digest := sha256.Sum256([]byte("message"))
	liar := turned(cardsim.WrongSignature)
	play(t, liar, []step{
		{"00 20 00 82 08" + rightPIN, "9000", "VERIFY"},
		{"00 22 41 B6 03 840101", "9000", "MSE SET"},
	})
	signature := ask(t, liar.Transmit, "00 2A 9E 9A 33"+digestInfo+fmt.Sprintf("%x", digest))
	public := &newPKI(t).Holders["valid"].Authentication.Key.PublicKey
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil {
		t.Error("the signature is right")
	}
	signature[len(signature)-1] ^= 1
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("more than one bit is wrong: %v", err)
	}
}

func TestAnswersAfterPull(t *testing.T) {
	c := newPKI(t).Cards["valid"]
	c.TurnEvil(cardsim.AnswersAfterPull)
	s := cardsim.NewSlot("slot")
	s.Insert(c)
	conn, err := s.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.Remove()
	if r, err := conn.Transmit(context.Background(), askPUK); err != nil || !bytes.Equal(r, []byte{0x63, 0xC3}) {
		t.Errorf("%s, %v", hex.EncodeToString(r), err)
	}
	if _, err := s.Connect(context.Background()); err == nil {
		t.Error("an empty slot was connected to")
	}
}

// TestEveryEvilAnswers checks that a card of any kind with any attack still returns
// its ATR, and answers each command with status bytes.
func TestEveryEvilAnswers(t *testing.T) {
	kinds := newKinds(t)
	for name, kind := range kinds {
		for _, e := range cardsim.Evils {
			c, err := cardsim.New(kind.Card.Image())
			if err != nil {
				t.Fatal(err)
			}
			c.TurnEvil(e)
			if atr := c.PowerOn(); !bytes.Equal(atr, kind.Card.ATR()) {
				t.Errorf("%s, %s: ATR %X", name, e, atr)
			}
			for _, command := range []string{"00A4000C023F00", "00A4080C0450155031", "00B0000000", "00C0000000"} {
				if r := c.Transmit(unhex(t, command)); len(r) < 2 {
					t.Errorf("%s, %s: %s answered by %X", name, e, command, r)
				}
			}
		}
	}
}
