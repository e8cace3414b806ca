package scproxy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smartkiosk/device/apdu/script"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/slot"
	"smartkiosk/device/smartkort"
)

// officialLogin logs in as a page that knows where everything is on a Smartkort: it
// reads the certificate, verifies the PIN and has a challenge signed. It returns the
// hash of the challenge.
func officialLogin(t *testing.T, p page) (hash [32]byte) {
	t.Helper()
	one := func(command string) string {
		t.Helper()
		responses, detail := p.transmit(command)
		if detail != 0 || !strings.HasSuffix(responses[0], "9000") {
			t.Fatalf("%s: %s, %d", command, responses, detail)
		}
		return strings.TrimSuffix(responses[0], "9000")
	}
	one("00A40000023F00")
	one("00A4080004 50154501")
	head := unhex(t, one("00B0000004"))
	size := 4 + int(head[2])<<8 + int(head[3])
	for at := 4; at < size; at += 200 {
		one(fmt.Sprintf("00B0%04X%02X", at, min(200, size-at)))
	}
	one(p.verify(testpki.PIN))
	challenge := make([]byte, 32)
	rand.Read(challenge)
	hash = sha256.Sum256(challenge)
	one("002241B6 06 800102 840101")
	one("002A9E9A33 3031300d060960864801650304020105000420" + hex.EncodeToString(hash[:]))
	p.post(origin, "/scard/disconnect/", fmt.Sprintf(`{"session":"%s"}`, p.session))
	return hash
}

// record plays a login against a card while a recorder is on, and returns the text of
// the recording.
func record(t *testing.T, s slot.Slot) (text string, hash [32]byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "login.txt")
	recorder := recording.New(file, slog.New(slog.DiscardHandler))
	service := New(s, slog.New(slog.DiscardHandler))
	defer service.Close()
	service.RecordTo(recorder)
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	hash = officialLogin(t, newPage(t, service, "a page's session"))
	recorder.Stop()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), hash
}

// TestRecordingHoldsNoSecrets searches a recording for the PIN, the challenge, the
// signature and everything in the certificate that belongs to the holder.
func TestRecordingHoldsNoSecrets(t *testing.T) {
	card, pki := newCard(t)
	s := cardsim.NewSlot(readerName)
	s.Insert(card)
	text, hash := record(t, s)
	recorded, err := script.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded.Steps) < 8 || !bytes.Equal(recorded.ATR, card.ATR()) {
		t.Fatalf("%d steps", len(recorded.Steps))
	}
	said := []byte(text)
	for _, step := range recorded.Steps {
		said = append(append(said, step.Command...), step.Response...)
	}
	c := pki.Holders["valid"].Authentication.Certificate
	personal := map[string][]byte{
		"PIN": []byte(testpki.PIN), "challenge": hash[:],
		"modulus": c.PublicKey.(*rsa.PublicKey).N.Bytes(), "serial number": c.SerialNumber.Bytes(), "signature of the CA": c.Signature,
		"validity": []byte(c.NotAfter.Format("060102")), "responder": []byte(c.OCSPServer[0]),
	}
	for _, name := range append(slices.Clone(c.Subject.Names), c.Issuer.Names...) {
		if text := name.Value.(string); len(text) > 2 {
			personal[name.Type.String()] = []byte(text)
		}
	}
	for what, secret := range personal {
		if len(secret) == 0 {
			t.Fatalf("%s is missing", what)
		}
		for window := range slices.Chunk(secret, min(len(secret), 6)) {
			if one := window[:1]; len(window) >= 4 && bytes.Count(window, one) < len(window) && bytes.Contains(said, window) {
				t.Errorf("%s: %X is in the recording", what, window)
			}
		}
	}
	if strings.Contains(text, readerName) || strings.Contains(text, "session") {
		t.Error("the names of reader and session are in the recording")
	}
	signature := recorded.Steps[len(recorded.Steps)-1].Response
	if len(signature) != 256+2 || !bytes.Equal(bytes.Trim(signature[:256], "\x00"), nil) {
		t.Errorf("signature: %X", signature)
	}
	if !strings.Contains(text, "> A0 20 00 82 08 30 00 00 00 00 00 00 FF  # VERIFY, the PIN is blanked\n< 90 00\n") {
		t.Errorf("VERIFY is recorded in another form:\n%s", text)
	}
}

// TestLearnFromRecording records a login, makes a profile of it, and signs by the
// profile with another card of the kind, also if the card does not describe itself.
func TestLearnFromRecording(t *testing.T) {
	card, pki := newCard(t)
	s := cardsim.NewSlot(readerName)
	s.Insert(card)
	text, _ := record(t, s)
	recorded, err := script.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	learned, err := smartkort.LearnFrom(recorded, "official")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, sure := range []string{
		"VERIFY: class A0, reference 82, 8 bytes", "the PIN is in ASCII digits", "the PIN is padded with FF", "the application is at 3F005015",
		"the certificate has an RSA key of 2048 bits, for authentication", "the certificate is at 3F0050154501", "the key has the reference 01",
		"the card signs by digest-info, with the algorithm reference 02",
	} {
		if !slices.Contains(learned.Sure, sure) || !strings.Contains(learned.Profile, "# sure:   "+sure+"\n") {
			t.Errorf("not sure: %s; sure: %q", sure, learned.Sure)
		}
	}
	if want := []string{"how many digits a PIN may have; assumed: 4 to 8"}; !slices.Equal(learned.Unsure, want) {
		t.Errorf("unsure: %q", learned.Unsure)
	}
	profiles, err := smartkort.LoadProfiles(writeProfile(t, learned.Profile))
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []bool{false, true} {
		other, err := cardsim.New(pki.Cards["revoked"].Image())
		if err != nil {
			t.Fatal(err)
		}
		second := cardsim.NewSlot(readerName)
		second.Insert(other)
		conn, err := second.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		described, err := smartkort.Driver{Profiles: profiles}.Open(t.Context(), undescribed{conn, hidden})
		if err != nil {
			t.Fatal(err)
		}
		sign(t, described, hidden)
		described.Close()
	}
}

// sign proves that a card signs by its profile. hidden means that the key is the one
// that the profile describes.
func sign(t *testing.T, card *smartkort.Card, hidden bool) {
	t.Helper()
	certs, err := card.AuthenticationCertificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if hidden && (len(certs) != 1 || certs[0].Label != "Login") {
		t.Fatalf("%+v", certs)
	}
	if err := card.VerifyPIN(t.Context(), certs[0], []byte(testpki.PIN)); err != nil {
		t.Fatal(err)
	}
	signer, err := card.Signer(t.Context(), certs[0])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("proof"))
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(signer.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

func writeProfile(t *testing.T, text string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "official.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// undescribed is a card whose directories by ISO 7816-15 are hidden, if hidden is true.
type undescribed struct {
	slot.Conn
	hidden bool
}

func (u undescribed) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if u.hidden && command[1] == 0xB0 && command[2]&0x80 != 0 { // by short file identifier
		return []byte{0x6A, 0x82}, nil
	}
	for _, directory := range []string{"\xA0\x00\x00\x00\x63PKCS-15", "\x2F\x00", "\x50\x31", "\x50\x32", "\x44\x01", "\x44\x02", "\x44\x03"} {
		if u.hidden && command[1] == 0xA4 && bytes.HasSuffix(command, []byte(directory)) {
			return []byte{0x6A, 0x82}, nil
		}
	}
	return u.Conn.Transmit(ctx, command)
}
