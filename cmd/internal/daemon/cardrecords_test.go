package daemon

import (
	"bytes"
	"crypto"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/smartkort"
	"smartkiosk/store"
)

// signOnce reads the card in the slot and signs with it, as a visit does.
func signOnce(t *testing.T, d smartkort.Driver, s *cardsim.Slot) {
	t.Helper()
	conn, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	card, err := d.Open(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
		t.Fatal(err)
	}
}

// TestCardRecords checks that what was read of a card is still in the records after a
// restart if a TPM seals the cache's secret, and that the disk contains no name in plain
// text. Without a TPM only what is known of its kind may be on the disk.
func TestCardRecords(t *testing.T) {
	t.Run("with a TPM", func(t *testing.T) { testCardRecords(t, true, 2) }) // one for the card, one for its kind
	t.Run("without a TPM", func(t *testing.T) { testCardRecords(t, false, 1) })
}

func testCardRecords(t *testing.T, sealed bool, kept int) {
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := cardsim.NewSlot("slot")
	s.Insert(pki.Cards["valid"])
	dir := t.TempDir()
	path, log := filepath.Join(dir, "records.db"), slog.New(slog.DiscardHandler)
	start := func() (smartkort.Driver, *cardRecords) {
		t.Helper()
		records, err := openRecords(path, time.Now(), log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { records.Close() })
		cards := newCardRecords(records, log)
		d, err := newCardDriver("", localSecrets{cards: make([]byte, secretSize), sealed: sealed}, cards)
		if err != nil {
			t.Fatal(err)
		}
		return d, cards
	}
	entries := func(c *cardRecords) (n int) {
		if err := c.Each(func(string, []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}

	d, cards := start()
	signOnce(t, d, s)
	cards.close()
	if n := entries(cards); n != kept {
		t.Errorf("%d entries", n)
	}
	cards.Put(map[string][]byte{"late": {1}}) // from a card that hung: dropped without harm
	if err := cards.records.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	person := pki.Holders["valid"].Person
	for _, clear := range []string{person.Surname, person.Given, person.ID, "Authentication"} {
		if bytes.Contains(file, []byte(clear)) {
			t.Errorf("%q is on the disk", clear)
		}
	}

	d, cards = start()
	signOnce(t, d, s)
	cards.close()
	if !sealed { // what a former version has stored about a card is deleted
		cards = newCardRecords(cards.records, log)
		cards.Put(map[string][]byte{"00": {1}})
		cards.close()
		cards = newCardRecords(cards.records, log)
		if _, err := newCardDriver("", localSecrets{cards: make([]byte, secretSize)}, cards); err != nil {
			t.Fatal(err)
		}
		cards.close()
	}
	if n := entries(cards); n != kept {
		t.Errorf("%d entries after a second visit", n)
	}
	if _, err := newCardDriver(t.TempDir(), localSecrets{cards: make([]byte, secretSize)}, cards); err == nil {
		t.Error("a folder of profiles without any")
	}
}

// TestDamagedRecords checks that damaged records are moved aside.
func TestDamagedRecords(t *testing.T) {
	other := filepath.Join(t.TempDir(), "outbox.db")
	outbox, err := store.Open(other, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.Close(); err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range [][]byte{[]byte("not a database"), foreign} {
		path := filepath.Join(t.TempDir(), "records.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		records, err := openRecords(path, time.Now(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer records.Close()
		if err := records.Put("cards", map[string][]byte{"a": {1}}); err != nil {
			t.Error(err)
		}
		if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) != 1 {
			t.Errorf("%q, %v", aside, err)
		}
	}
}
