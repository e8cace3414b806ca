package smartkort

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
	"smartkiosk/device/slot"
)

// minTries is how many PIN tries must be left before Learn verifies the PIN.
const minTries = 3

// maxAttempt is how many APDUs one way of signing needs at most: each of SELECT, MSE and
// two commands with the data, in three classes, some with GET RESPONSE, and the question
// whether the PIN is still verified.
const maxAttempt = 20

// maxLesson is how long Learn tries ways of signing. A slow card signs within two seconds.
const maxLesson = 3 * time.Minute

// ErrLearnBound means that Learn stopped because it has sent many commands or has taken
// long. More ways of signing are left; another lesson can go on with them (Lesson.Skip).
var ErrLearnBound = errors.New("the bound of commands or time for one lesson is reached")

// ErrFewTries means that Learn did not start because the PIN has fewer than three
// tries left.
var ErrFewTries = errors.New("the PIN has fewer than 3 tries left")

// ErrTrySpent means that the card spent a PIN try for a refused recipe. Learn
// stops then.
var ErrTrySpent = errors.New("the card spent a PIN try for a refused command")

// Lesson is what Learn needs besides the card.
type Lesson struct {
	Name   string // of the profile
	Skip   int    // recipes to skip, because the card forgot the PIN after them
	Choose func([]Certificate) (Certificate, error)
	AskPIN func(PIN) ([]byte, error) // the driver wipes the digits
	Hint   *Profile                  // description of a card that does not describe itself, may be nil
}

// Learned is the result of Learn.
type Learned struct {
	Profile string // TOML, with comments about what was seen
	Script  string // the APDUs, for apdutest; PINs are replaced by 00
	Recipe  string // how the card signs
	Refused []Attempt
	Tried   int // recipes that failed, with those that the lesson skipped: Lesson.Skip of the next lesson
}

// Learn finds out how a card of an unknown kind signs, with a card and its PIN.
// It takes the way to the application, the form of the PIN and the keys from the
// card's own description or from the hint, verifies the PIN once, and tries
// recipes from the standard ones to the odd ones until a signature is valid under
// the certificate. It stops as soon as the card no longer counts the PIN as
// verified, as far as the card tells that by VERIFY without data. It sends VERIFY and
// the signing commands in another class only if the card does not know the class;
// the card has not looked at the PIN then. Errors: ErrFewTries, ErrTrySpent,
// ErrNextRecipe, ErrLearnBound, those of Open and VerifyPIN. Learned is also filled
// in, as far as possible, when there is an error. Learn closes conn.
func (d Driver) Learn(ctx context.Context, conn slot.Conn, lesson Lesson) (learned Learned, err error) {
	record := &recorder{Conn: conn}
	profiles := BuiltinProfiles.unsigned()
	if lesson.Hint != nil {
		hint := *lesson.Hint
		hint.Match.ATR = []string{strings.ToUpper(hex.EncodeToString(conn.ATR()))}
		profiles.list = append([]*Profile{&hint}, profiles.list...)
	}
	card, err := Driver{Profiles: profiles}.Open(ctx, record)
	if err != nil {
		return Learned{Script: record.script.String()}, errors.Join(fmt.Errorf("cannot learn card: %w", err), conn.Close())
	}
	defer card.Close()
	card.learning, card.skip = true, lesson.Skip
	err = card.learn(ctx, lesson)
	learned = Learned{Script: record.script.String(), Recipe: card.worked, Refused: card.attempts, Tried: card.skip + card.tried}
	if err != nil {
		return learned, fmt.Errorf("cannot learn card: %w", err)
	}
	learned.Profile = card.writeProfile(lesson.Name)
	if _, err := ParseProfile([]byte(learned.Profile)); err != nil {
		return learned, fmt.Errorf("cannot learn card: %w", err)
	}
	return learned, nil
}

func (c *Card) learn(ctx context.Context, lesson Lesson) error {
	certs, err := c.AuthenticationCertificates(ctx)
	if err != nil {
		return err
	}
	cert, err := lesson.Choose(certs)
	if err != nil {
		return err
	}
	pin, err := c.PIN(ctx, cert)
	if err != nil {
		return err
	}
	tries, known, err := c.tries(ctx, pin)
	if err != nil {
		return err
	}
	if known && tries < minTries {
		return fmt.Errorf("%w: %d", ErrFewTries, tries)
	}
	digits, err := lesson.AskPIN(pin)
	defer clear(digits)
	if err != nil {
		return err
	}
	if err := c.VerifyPIN(ctx, cert, digits); err != nil {
		return err
	}
	c.lessonEnds = time.Now().Add(maxLesson)
	err = c.SignRandom(ctx, cert)
	if errors.Is(err, ErrNextRecipe) {
		if left, told, _ := c.tries(ctx, pin); told && known && left < tries {
			return fmt.Errorf("%w: %d of %d tries are left", ErrTrySpent, left, tries)
		}
		return fmt.Errorf("%w (skip %d recipes)", err, c.skip+c.tried)
	}
	if errors.Is(err, ErrLearnBound) {
		return fmt.Errorf("%w (skip %d recipes to go on)", err, c.skip+c.tried)
	}
	c.learned = learnedFrom{key: cert.Key, pin: pin, elliptic: cert.Key.kind == keyEC}
	return err
}

// learnedFrom is the key and the PIN of a lesson.
type learnedFrom struct {
	key      Key
	pin      PIN
	elliptic bool
}

// oddAlgorithms are algorithm references that cards use in MSE SET, tried after
// the standard recipes.
var oddAlgorithms = []int{-1, 0x00, 0x01, 0x02, 0x03, 0x04, 0x0A, 0x10, 0x11, 0x12, 0x20, 0x21, 0x42}

// oddRecipes are all combinations of forms, algorithm references and ways to name
// the key.
func oddRecipes(s scheme) (all []recipe) {
	forms := []string{recipeDigestInfo, recipeBlock, recipeHash, recipeInternal, recipeHashFirst}
	if s.key == "ec" {
		forms = []string{recipeHash, recipeInternal, recipeHashFirst}
	}
	if s.name == "rsa-pss" {
		forms = []string{recipeBlock}
	}
	for _, form := range forms {
		for _, by := range []string{byReference, bySelection, byFile} {
			for _, algorithm := range oddAlgorithms {
				all = append(all, recipe{Form: form, Algorithm: algorithm, KeyBy: by})
			}
		}
	}
	return all
}

// writeProfile writes what was learned as a profile.
func (c *Card) writeProfile(name string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Learned from a card by kioskctl card learn. It was proven on this card only.")
	for _, a := range c.attempts {
		line("# refused: %s: %v", a.Recipe, a.Err)
	}
	line("# works:   %s", c.worked)
	for _, problem := range c.problems {
		line("# skipped: %v", problem)
	}
	line("\nname = %q\nabout = %q\n", name, "learned: "+orText(c.token.Label, "a card without a label"))
	line("[match]\natr = [%q]", strings.ToUpper(hex.EncodeToString(c.channel.ATR())))
	if c.token.Label != "" && c.token.Manufacturer != "" {
		line("manufacturer = %q\nlabel = %q", c.token.Manufacturer, c.token.Label)
	}
	described := len(c.profile.Keys) == 0
	line("\n# The application was found by: %s.\n[application]", c.app.How)
	if c.app.Applet != nil {
		line("applets = [%q]", fmt.Sprintf("%X", c.app.Applet))
	}
	switch {
	case !described && c.app.AID != nil:
		line("aid = %q", fmt.Sprintf("%X", c.app.AID))
	case !described:
		line("path = %q", fmt.Sprintf("%X", c.app.Path))
	}
	line("\n[verify]\nclasses = [%s]", classes(c.class))
	p := c.learned.pin
	if p.StoredLength > 0 && p.Encoding <= UTF8 {
		line("\n# Used only if the card describes no PIN.\n[pin]\nlabel = %q\nreference = 0x%02X\nencoding = %q\nmin = %d\nmax = %d\nstored = %d\npad = 0x%02X",
			p.Label, p.Reference, []string{"bcd", "ascii", "utf8"}[p.Encoding], max(1, p.MinLength), max(1, p.MaxLength), p.StoredLength, p.Pad)
	}
	for _, k := range c.profile.Keys {
		line("\n[[key]]\nlabel = %q\nuse = %q\nreference = 0x%02X", k.Label, k.Use, k.Reference)
		for _, own := range [][2]string{{"kind", k.Kind}, {"certificate", k.Certificate}, {"object", k.Object}} {
			if own[1] != "" {
				line("%s = %q", own[0], own[1])
			}
		}
	}
	for what, r := range map[string]PINRecipe{"change": c.profile.Change, "unblock": c.profile.Unblock} {
		line("\n[%s]\nrecipe = %q", what, r.Recipe)
		if len(r.Classes) > 0 {
			line("classes = [%s]", classes(r.Classes))
		}
	}
	kind, r := "rsa", c.workedRecipe
	if c.learned.elliptic {
		kind = "ec"
	}
	if r.Described && r.Class == 0 {
		line("\n# The card describes the recipe of each key itself: %s.", r)
		return b.String()
	}
	line("\n[[sign]]\nkey = %q\nrecipe = %q", kind, r.Form)
	if r.Algorithm >= 0 {
		line("algorithm = 0x%02X", r.Algorithm)
	}
	if r.KeyBy != byReference {
		line("key_by = %q", r.KeyBy)
	}
	if r.Class != 0 {
		line("class = 0x%02X", r.Class)
	}
	return b.String()
}

func classes(b []byte) string {
	var all []string
	for _, c := range b {
		all = append(all, fmt.Sprintf("0x%02X", c))
	}
	return strings.Join(all, ", ")
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// recorder keeps the commands and responses of a connection as a script. It replaces
// the PIN in a command by 00.
type recorder struct {
	slot.Conn
	script script.Script
}

func (r *recorder) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	r.script.ATR = r.Conn.ATR()
	step := script.Step{Command: bytes.Clone(command), Comment: "command"}
	if c, err := apdu.Parse(command); err == nil {
		step.Comment = orText(purposes[c.INS], "command")
		if c.INS == insVerify || c.INS == insChange || c.INS == insResetCounter {
			clear(step.Command[min(5, len(command)):])
		}
	}
	response, err := r.Conn.Transmit(ctx, command)
	if err == nil {
		step.Response = bytes.Clone(response)
	}
	r.script.Steps = append(r.script.Steps, step)
	return response, err
}

var purposes = map[byte]string{
	insSelect: "SELECT", insReadBinary: "READ BINARY", insReadRecord: "READ RECORD", insGetResponse: "GET RESPONSE",
	insVerify: "VERIFY, the PIN is blanked", insMSE: "MANAGE SECURITY ENVIRONMENT", insPSO: "COMPUTE DIGITAL SIGNATURE",
	insInternalAuth: "INTERNAL AUTHENTICATE",
}

// unsigned returns the profiles without signing recipes, so that these are
// learned.
func (p *Profiles) unsigned() *Profiles {
	all := &Profiles{}
	for _, profile := range p.list {
		without := *profile
		without.Sign = nil
		all.list = append(all.list, &without)
		if profile == p.plain {
			all.plain = &without
		}
	}
	return all
}
