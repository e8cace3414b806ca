package smartkort

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
	"smartkiosk/device/apdu/tlv"
)

// ErrNotRecorded means that a recording lacks what a profile needs.
var ErrNotRecorded = errors.New("not in the recording")

// Recorded is the result of LearnFrom.
type Recorded struct {
	Profile string   // TOML, with comments
	Sure    []string // what the recording shows
	Unsure  []string // what it does not show, and what the profile assumes
}

// LearnFrom makes a profile from the recording of a login by other software
// (device/scproxy/recording): how PIN and key are addressed in the last login that
// the card accepted. Nothing is proven with a card. Errors: ErrNotRecorded, if the
// recording has no accepted PIN or no signature, or the card cannot be matched.
func LearnFrom(s script.Script, name string) (Recorded, error) {
	if len(s.ATR) == 0 {
		return Recorded{}, fmt.Errorf("cannot learn from recording: the answer to reset is %w", ErrNotRecorded)
	}
	var o observer
	for _, step := range whole(s.Steps) {
		o.see(step)
	}
	switch {
	case !o.accepted:
		return Recorded{}, fmt.Errorf("cannot learn from recording: a VERIFY that the card accepted is %w", ErrNotRecorded)
	case o.login.signed == nil:
		return Recorded{}, fmt.Errorf("cannot learn from recording: a signature after the PIN is %w", ErrNotRecorded)
	}
	l := o.lesson()
	text := l.write(name, s.ATR)
	if _, err := ParseProfile([]byte(text)); err != nil {
		return Recorded{}, fmt.Errorf("cannot learn from recording: %w", err)
	}
	return Recorded{text, l.sure, l.unsure}, nil
}

// whole joins the responses to GET RESPONSE to the response of the command before it.
func whole(steps []script.Step) (all []script.Step) {
	for _, step := range steps {
		if n := len(all) - 1; n >= 0 && !step.Reset && len(step.Command) > 1 && step.Command[1] == insGetResponse {
			if r, err := apdu.ParseResponse(all[n].Response); err == nil && r.SW>>8 == 0x61 {
				all[n].Response = slices.Concat(r.Data, step.Response)
				continue
			}
		}
		all = append(all, step)
	}
	return all
}

// login is what the profile is made of.
type login struct {
	application location      // where VERIFY was sent
	verify      *apdu.Command // accepted
	environment *apdu.Command // MANAGE SECURITY ENVIRONMENT, may be nil
	key         location      // selected before environment
	signed      *apdu.Command // with the data of all its pieces
	size        int           // of the signature
	hashed      bool          // the command that signed had no data: PSO: HASH was before it
}

// location is what is selected.
type location struct {
	aid  []byte // the DF, if it was selected by AID
	path []byte // from the MF; after aid, from that DF
}

func (p location) child(id []byte) location {
	return location{p.aid, append(slices.Clone(p.path), id...)}
}

func (p location) absolute() bool { return p.aid == nil && bytes.HasPrefix(p.path, masterFile) }

// observer follows a recording.
type observer struct {
	df, at      location // the selected DF, and the selected DF or file
	isFile      bool     // at is a file
	files       []readFile
	accepted    bool          // the card accepted a PIN
	verified    *apdu.Command // in this session
	verifiedIn  location
	environment *apdu.Command
	key         location
	pieces      []byte // of a chained command
	half        bool   // the card has taken one half of a block by PSO: DECIPHER
	hashed      bool   // the card has taken a finished hash by PSO: HASH
	login       login
	change      *apdu.Command // accepted
	unblock     *apdu.Command
	records     bool // READ RECORD gave data
	secured     bool // a class with secure messaging
}

// readFile is a transparent file as far as it was read.
type readFile struct {
	location location
	content  []byte
}

// see follows one step.
func (o *observer) see(step script.Step) {
	if step.Reset {
		o.df, o.at, o.isFile = location{path: masterFile}, location{path: masterFile}, false
		o.verified, o.environment = nil, nil
	}
	if o.at.path == nil && o.at.aid == nil { // the MF is selected after a reset
		o.df, o.at = location{path: masterFile}, location{path: masterFile}
	}
	c, err := apdu.Parse(step.Command)
	if err != nil {
		return
	}
	r, err := apdu.ParseResponse(step.Response)
	if err != nil {
		return
	}
	ok := r.SW == apdu.OK
	o.secured = o.secured || ok && c.CLA&0x80 == 0 && c.CLA&0x0C != 0
	switch c.INS {
	case insSelect:
		if ok || r.SW == apdu.Deactivated || r.SW>>8 == 0x61 {
			o.selects(c, r.Data)
		}
	case insReadBinary:
		if ok || r.SW == apdu.EndOfFile {
			o.reads(c, r.Data)
		}
	case insReadRecord:
		o.records = o.records || ok && len(r.Data) > 0
	case insVerify:
		if len(c.Data) > 0 {
			o.verified = nil
			if ok {
				o.accepted, o.verified, o.verifiedIn = true, &c, o.df
			}
		}
	case insChange:
		if ok && len(c.Data) > 0 {
			o.change = &c
		}
	case insResetCounter:
		if ok {
			o.unblock = &c
		}
	case insMSE:
		if ok {
			o.environment, o.key = &c, o.at
		}
	case insPSO, insInternalAuth:
		o.signs(c, r)
	}
}

// selects follows a SELECT that succeeded (ISO 7816-4 §11.2.2).
func (o *observer) selects(c apdu.Command, fci []byte) {
	up := o.at
	if o.isFile {
		up = o.df
	}
	o.isFile = false
	switch {
	case c.P1 == 4:
		o.at = location{aid: c.Data}
	case c.P1 == 8:
		o.at = location{path: append(slices.Clone(masterFile), c.Data...)}
	case c.P1 == 9:
		o.at = o.df.child(c.Data)
	case c.P1 == 3:
		if n := len(o.df.path); n >= 2 {
			o.at = location{o.df.aid, o.df.path[:n-2]}
		}
	case len(c.Data) == 0, bytes.Equal(c.Data, masterFile):
		o.at = location{path: masterFile}
	case c.P1 == 2:
		o.at, o.isFile = o.df.child(c.Data), true
	default:
		o.at = up.child(c.Data)
	}
	// The file descriptor byte says what was selected (§7.4.5); without it, a READ
	// BINARY will.
	if d, found := descriptor(fci); found {
		o.isFile = d&0x38 != 0x38
	}
	if !o.isFile {
		o.df = o.at
	} else if o.at.absolute() && len(o.at.path) > 2 {
		o.df = location{path: o.at.path[:len(o.at.path)-2]}
	}
}

// descriptor returns the file descriptor byte in file control information.
func descriptor(fci []byte) (byte, bool) {
	for _, template := range []uint32{0x6F, 0x62} {
		if d, ok := tlv.Find(fci, template, 0x82); ok && len(d) > 0 {
			return d[0], true
		}
	}
	return 0, false
}

// reads keeps the data of READ BINARY. The selected object is then a file, and its
// parent is the DF.
func (o *observer) reads(c apdu.Command, data []byte) {
	if c.P1&0x80 != 0 {
		return // by short file identifier: the path is not known
	}
	if !o.isFile {
		o.isFile = true
		o.df = o.at
		if n := len(o.at.path); n >= 2 {
			o.df.path = o.at.path[:n-2]
		}
	}
	offset := int(c.P1)<<8 | int(c.P2)
	i := slices.IndexFunc(o.files, func(f readFile) bool {
		return bytes.Equal(f.location.aid, o.at.aid) && bytes.Equal(f.location.path, o.at.path)
	})
	if i < 0 {
		i = len(o.files)
		o.files = append(o.files, readFile{location: o.at})
	}
	if f := &o.files[i]; offset <= len(f.content) && offset+len(data) > len(f.content) {
		f.content = append(f.content[:offset], data...)
	}
}

// deciphers reports whether a command is PSO: DECIPHER, with which MyEID signs.
func deciphers(c apdu.Command) bool { return c.INS == insPSO && c.P1 == 0x80 && c.P2 == 0x86 }

// signs follows PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE and INTERNAL
// AUTHENTICATE, also in pieces.
func (o *observer) signs(c apdu.Command, r apdu.Response) {
	if c.INS == insPSO && c.P1 != 0x9E && !deciphers(c) {
		o.hashed = r.SW == apdu.OK && c.P1 == 0x90 && c.P2 == 0xA0 && len(c.Data) > 2 && c.Data[0] == 0x90
		return
	}
	half := o.half
	o.half = deciphers(c) && r.SW == apdu.OK && len(r.Data) == 0
	if deciphers(c) && !half { // the first half of a block, or something that is deciphered
		return
	}
	data := append(o.pieces, c.Data...)
	o.pieces = nil
	switch {
	case r.SW != apdu.OK:
	case c.CLA&0x10 != 0:
		o.pieces = data
	case len(r.Data) > 0 && o.verified != nil:
		c.Data = data
		o.login = login{o.verifiedIn, o.verified, o.environment, o.key, &c, len(r.Data), o.hashed && len(data) == 0}
		o.hashed = false
	}
}

// certificates returns the certificates that were read whole.
func (o *observer) certificates() (all []*x509.Certificate, locations []location) {
	for _, f := range o.files {
		object, _, err := tlv.Next(f.content)
		if err != nil || object.Tag != tagSequence {
			continue
		}
		if c, err := x509.ParseCertificate(object.Raw); err == nil {
			all, locations = append(all, c), append(locations, f.location)
		}
	}
	return all, locations
}

// recordedLesson is what the profile says.
type recordedLesson struct {
	login
	observer     *observer
	kind         string // rsa or ec
	use          string
	certificate  []byte // path, nil if not known
	form         string
	algorithm    int
	reference    int // -1 for none
	keyBy        string
	pin          PINForm
	sure, unsure []string
}

func (l *recordedLesson) isSure(format string, args ...any) {
	l.sure = append(l.sure, fmt.Sprintf(format, args...))
}

func (l *recordedLesson) isUnsure(format string, args ...any) {
	l.unsure = append(l.unsure, fmt.Sprintf(format, args...))
}

// lesson concludes what the recording shows.
func (o *observer) lesson() *recordedLesson {
	l := &recordedLesson{login: o.login, observer: o, algorithm: -1, reference: -1}
	l.findPIN()
	l.findCertificate()
	l.findKey()
	l.findForm()
	if o.secured {
		l.isUnsure("some commands used secure messaging, which the driver does not support")
	}
	if o.records {
		l.isUnsure("the login page read records; the driver reads records of EF.DIR only")
	}
	return l
}

func (l *recordedLesson) findPIN() {
	c := l.verify
	p := PINForm{Label: "PIN", Reference: c.P2, Encoding: "ascii", Min: 4, Stored: len(c.Data), Pad: c.Data[len(c.Data)-1]}
	p.Max = min(p.Stored, 8)
	p.Min = min(p.Min, p.Max)
	l.isSure("VERIFY: class %02X, reference %02X, %d bytes", c.CLA, c.P2, p.Stored)
	switch {
	case c.Data[0] == '0':
		l.isSure("the PIN is in ASCII digits")
	case p.Stored < 4:
		p.Encoding, p.Max = "bcd", 2*p.Stored
		l.isUnsure("the PIN is not in ASCII digits; assumed: BCD")
	default:
		p.Encoding, p.Max = "bcd", min(2*p.Stored, 12)
		l.isUnsure("the PIN is not in ASCII digits; assumed: BCD, %d to %d digits", p.Min, p.Max)
	}
	switch {
	case p.Pad == 0xFF:
		l.isSure("the PIN is padded with FF")
		l.isUnsure("how many digits a PIN may have; assumed: %d to %d", p.Min, p.Max)
	case p.Encoding == "ascii" && p.Stored < 8:
		p.Min, p.Max = p.Stored, p.Stored
		l.isUnsure("how a shorter PIN is padded; assumed: every PIN has %d digits", p.Stored)
	default:
		p.Pad = 0
		l.isUnsure("whether the PIN is padded with 00, or has as many digits as fit; assumed: padded, %d to %d digits", p.Min, p.Max)
	}
	l.pin = p
	switch a := l.application; {
	case a.aid != nil && len(a.path) > 0:
		l.isUnsure("the application is a DF below the AID %X, which a profile cannot name; assumed: the AID alone", a.aid)
	case a.aid != nil:
		l.isSure("the application is selected by the AID %X", a.aid)
	default:
		l.isSure("the application is at %X", a.path)
	}
}

func (l *recordedLesson) findCertificate() {
	all, locations := l.observer.certificates()
	best := -1
	for i, c := range all {
		if c.KeyUsage&x509.KeyUsageDigitalSignature != 0 && (best < 0 || all[best].KeyUsage&x509.KeyUsageDigitalSignature == 0) || best < 0 {
			best = i
		}
	}
	if best < 0 {
		l.kind, l.use = "rsa", useAuthentication
		if l.size < 128 {
			l.kind = "ec"
		}
		l.isUnsure("no certificate was read as a whole; assumed: the key is %s, and the card describes its certificates itself", strings.ToUpper(l.kind))
		return
	}
	c := all[best]
	l.use = useAuthentication
	if c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == x509.KeyUsageContentCommitment {
		l.use = useSignature
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		l.kind = "rsa"
		l.isSure("the certificate has an RSA key of %d bits, for %s", k.Size()*8, l.use)
		if k.Size() != l.size {
			l.isUnsure("whether the certificate belongs to the key that signed: its signature has %d bytes", l.size)
		}
	case *ecdsa.PublicKey:
		l.kind = "ec"
		l.isSure("the certificate has an EC key on %s, for %s", k.Params().Name, l.use)
	default:
		l.kind = "rsa"
		l.isUnsure("the kind of the certificate's key; assumed: RSA")
	}
	if len(all) > 1 {
		l.isUnsure("which of %d certificates belongs to the key that signed; assumed: the first one for authentication", len(all))
	}
	if at := locations[best]; at.absolute() && len(at.path) <= 16 {
		l.certificate = at.path
		l.isSure("the certificate is at %X", at.path)
	} else {
		l.isUnsure("the path of the certificate from the MF; assumed: the card describes its certificates itself")
	}
}

func (l *recordedLesson) findKey() {
	c := l.environment
	if c == nil {
		l.isUnsure("no MANAGE SECURITY ENVIRONMENT was sent; the driver sends one")
		return
	}
	if c.P1 != 0x41 && c.P1 != 0xC1 || c.P2 != 0xB6 && c.P2 != 0xA4 && !(c.P2 == 0xB8 && deciphers(*l.signed)) {
		l.isUnsure("MANAGE SECURITY ENVIRONMENT was sent with P1-P2 %02X%02X, which the driver does not send", c.P1, c.P2)
	}
	var file []byte
	for object, err := range tlv.Objects(c.Data) {
		if err != nil {
			break
		}
		switch v := object.Value; {
		case object.Tag == 0x80 && len(v) == 1:
			l.algorithm = int(v[0])
		case object.Tag == 0x81:
			file = v
		case (object.Tag == 0x83 || object.Tag == 0x84) && len(v) == 1:
			l.reference = int(v[0])
		case object.Tag == 0x80 || object.Tag == 0x83 || object.Tag == 0x84:
			l.isUnsure("the reference of %d bytes in tag %02X, which the driver cannot send", len(v), object.Tag)
		}
	}
	switch {
	case file != nil && bytes.HasSuffix(l.key.path, file) && l.reference <= 0:
		l.keyBy = bySelection
	case file != nil && l.reference >= 0:
		l.keyBy = byFile
	}
	switch {
	case file != nil:
		l.isSure("the key is named by its file %X", file)
		l.isUnsure("key files work only if the card describes its keys itself by ISO 7816-15")
	case l.reference >= 0:
		l.isSure("the key has the reference %02X", l.reference)
	default:
		l.isUnsure("the key's reference; assumed: 01")
	}
}

func (l *recordedLesson) findForm() {
	c, data := l.signed, l.signed.Data
	hashes := []int{20, 32, 48, 64}
	switch {
	case c.INS == insInternalAuth:
		l.form = recipeInternal
	case deciphers(*c) && l.kind == "rsa":
		l.form = recipeDecipher
	case c.P2 == 0x9A && l.hashed:
		l.form = recipeHashFirst
	case c.P2 != 0x9A:
		l.form = recipeHash
		l.isUnsure("the signature was asked for with P2 %02X; the driver sends 9A, and the hash with it", c.P2)
		return
	case len(data) > 11 && (data[0] == 1 || data[0] == 0 && data[1] == 1):
		l.form = recipeBlock
	case len(data) > 0 && data[0] == tagSequence:
		l.form = recipeDigestInfo
	case l.kind == "rsa" && len(data) == l.size:
		l.form = recipeBlock
		l.isUnsure("the block that was signed may be padded by PSS; assumed: PKCS #1")
		return
	case slices.Contains(hashes, len(data)):
		l.form = recipeHash
	default:
		l.form = recipeHash
		l.isUnsure("what was signed: %d bytes; assumed: the hash", len(data))
		return
	}
	if l.kind == "ec" && l.form != recipeHash && l.form != recipeHashFirst && l.form != recipeInternal {
		l.isUnsure("the key that signed is no EC key: it signed by %s", l.form)
		l.kind = "rsa"
	}
	algorithm := "without an algorithm reference"
	if l.algorithm >= 0 {
		algorithm = fmt.Sprintf("with the algorithm reference %02X", l.algorithm)
	}
	if l.class() != 0 {
		algorithm += fmt.Sprintf(", in class %02X", l.class())
	}
	l.isSure("the card signs by %s, %s", l.form, algorithm)
	if l.environment != nil && l.environment.CLA != l.class() {
		l.isUnsure("MANAGE SECURITY ENVIRONMENT was sent in class %02X; the driver sends it in class %02X", l.environment.CLA, l.class())
	}
}

// class returns the class of the command that signed, without chaining.
func (l *recordedLesson) class() byte { return l.signed.CLA &^ 0x10 }

// write writes the profile.
func (l *recordedLesson) write(name string, atr []byte) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Learned from the recording of a login by kioskctl card learn --from. It was proven on no card:")
	line("# prove it with kioskctl card --sign.")
	for _, s := range l.sure {
		line("# sure:   %s", s)
	}
	for _, s := range l.unsure {
		line("# unsure: %s", s)
	}
	line("\nname = %q\nabout = \"learned from a recorded login\"\n", name)
	line("[match]\natr = [%q]\n\n[application]", strings.ToUpper(hex.EncodeToString(atr)))
	if a := l.application; a.aid != nil {
		line("aid = \"%X\"", a.aid)
	} else if len(a.path) > 2 {
		line("path = \"%X\"", a.path)
	}
	line("\n[verify]\nclasses = [0x%02X]", l.verify.CLA)
	p := l.pin
	line("\n# Used only if the card describes no PIN.\n[pin]\nlabel = %q\nreference = 0x%02X\nencoding = %q\nmin = %d\nmax = %d\nstored = %d\npad = 0x%02X",
		p.Label, p.Reference, p.Encoding, p.Min, p.Max, p.Stored, p.Pad)
	if l.certificate != nil && l.keyBy == byReference {
		line("\n# Used only if the card does not describe itself by ISO 7816-15.\n[[key]]\nlabel = \"Login\"\nkind = %q\nuse = %q\nreference = 0x%02X\ncertificate = \"%X\"",
			l.kind, l.use, max(l.reference, 1), l.certificate)
	}
	recipe := func(table, recipe string, seen *apdu.Command) {
		if seen == nil {
			line("\n[%s]\nrecipe = %q", table, recipeUnknown)
			return
		}
		line("\n[%s]\nrecipe = %q\nclasses = [0x%02X]", table, recipe, seen.CLA)
	}
	recipe("change", recipeChange, l.observer.change)
	unblock := l.observer.unblock
	if unblock != nil && (unblock.P1 != 0 || len(unblock.Data) == 0) {
		unblock = nil
	}
	recipe("unblock", recipeReset, unblock)
	line("\n[[sign]]\nkey = %q\nrecipe = %q", l.kind, l.form)
	if l.algorithm >= 0 {
		line("algorithm = 0x%02X", l.algorithm)
	}
	if l.keyBy != byReference {
		line("key_by = %q", l.keyBy)
	}
	if l.class() != 0 {
		line("class = 0x%02X", l.class())
	}
	return b.String()
}
