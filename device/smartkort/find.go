package smartkort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// Where an ISO 7816-15 application is looked for.
var (
	standardAID  = []byte("\xA0\x00\x00\x00\x63PKCS-15") // PKCS #15 §5.4
	standardPath = []byte{0x3F, 0x00, 0x50, 0x15}        // PKCS #15 §5.4, cards without AIDs
	fileDIR      = []byte{0x3F, 0x00, 0x2F, 0x00}        // ISO 7816-4 §8.4
	fileODF      = []byte{0x50, 0x31}                    // ISO 7816-15 §7.4
	fileToken    = []byte{0x50, 0x32}                    // ISO 7816-15 §7.9
)

// application is where the card's application is, and by what it was found.
type application struct {
	How    string // for the technician
	Applet []byte // AID of an applet that holds it, selected before; nil for a card that is all one
	AID    []byte // selected by name, if set
	Path   []byte // absolute, where known
}

// find goes through the ways to an application until one leads to an object
// directory that can be read: the way that cards with this answer to reset
// went before, then those of the standard, then applets of other names, then
// what its profile has in a directory's place. A way that the card refuses is
// left for the next; an error in transport ends it.
func (c *Card) find(ctx context.Context) error {
	if k := c.cache.kind(c.line.ATR()); k != nil {
		if found, err := c.tryKind(ctx, k); found || err != nil {
			return err
		}
	}
	var broken error
	found, err := c.findIn(ctx, nil, &broken)
	if found || err != nil {
		return err
	}
	for _, aid := range c.profiles.applets() {
		c.at = elsewhere
		_, err := c.selectBy(ctx, byAID, aid)
		if isStatus(err) {
			continue
		}
		if err != nil {
			return err
		}
		if found, err := c.findIn(ctx, aid, &broken); found || err != nil {
			return err
		}
	}
	if found, err := c.findByProfile(ctx); found || err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	return ErrUnknownCard
}

// findIn goes through the standard's ways, on the whole card or within an
// applet. What is found but malformed goes into broken.
func (c *Card) findIn(ctx context.Context, applet []byte, broken *error) (found bool, err error) {
	within := ""
	if applet != nil {
		within = ", in an applet"
	}
	try := func(a application) (bool, error) {
		a.Applet, a.How = applet, a.How+within
		return c.try(ctx, a, broken)
	}
	if found, err := try(application{How: "AID of the standard", AID: standardAID}); found || err != nil {
		return found, err
	}
	listed, err := c.listed(ctx)
	if err != nil {
		return false, err
	}
	for _, a := range append(listed, application{How: "path 3F00/5015", Path: standardPath}) {
		if found, err := try(a); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// try looks for an application in one place.
func (c *Card) try(ctx context.Context, a application, broken *error) (found bool, err error) {
	if c.line.sent >= maxSearch {
		return false, fmt.Errorf("%w: %d APDUs in search of an application", apdu.ErrEndless, c.line.sent)
	}
	c.app, c.at = a, elsewhere
	c.forgetRead()
	if err = c.enter(ctx); err == nil {
		if err = c.readTokenInfo(ctx); err == nil {
			err = c.look(ctx, nil)
		}
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrMalformed):
		*broken = err
		return false, nil
	case isStatus(err):
		return false, nil
	}
	return false, err
}

// look takes in what there is in an application whose TokenInfo was read: what
// is remembered of the card, what cards of its kind k have in common, nil for
// a kind unknown, and else the object directory.
func (c *Card) look(ctx context.Context, k *kind) error {
	c.profile = c.profiles.For(c.line.ATR(), &c.token)
	c.memory = c.cache.get(c.tokenRaw)
	if k != nil {
		c.layout = k.layout(c.token.looks)
	}
	if err := c.readODF(ctx); err != nil {
		return err
	}
	return c.recognise(ctx)
}

var odfPath = Path{File: fileODF}

// readODF reads the object directory, and learns from it what absolute paths
// into the application begin with.
func (c *Card) readODF(ctx context.Context) error {
	if c.layout != nil && c.content(odfPath) == nil {
		c.memory = map[string][]byte{odfPath.key(): c.layout.ODF}
	}
	file, err := c.readDirectory(ctx, odfPath)
	if err != nil {
		return err
	}
	if c.odf, err = decodeODF(file); err != nil {
		return err
	}
	if c.app.Path == nil {
		c.app.Path = c.odf.parent()
	}
	return nil
}

// enter makes the application's DF the current one, if it is not.
func (c *Card) enter(ctx context.Context) error {
	if c.at == inApplication {
		return nil
	}
	var err error
	if c.app.AID != nil {
		_, err = c.selectBy(ctx, byAID, c.app.AID)
	} else {
		_, err = c.selectPath(ctx, fromMF, c.app.Path[2:], masterFile)
	}
	if err == nil {
		c.at = inApplication
	}
	return err
}

// listed reads EF.DIR, a transparent file or one of records, for applications
// to look into: by path first, which also tells what absolute paths mean
// later, then by name.
func (c *Card) listed(ctx context.Context) ([]application, error) {
	file, err := c.readDirectory(ctx, Path{File: fileDIR})
	delete(c.files, Path{File: fileDIR}.key()) // another applet has another
	var sw apdu.Status
	if errors.As(err, &sw) && sw != apdu.FileNotFound {
		file, err = c.readRecords(ctx)
	}
	if isStatus(err) || errors.Is(err, ErrMalformed) {
		return nil, nil // no EF.DIR to speak of
	}
	if err != nil {
		return nil, err
	}
	return decodeDIR(file), nil
}

// decodeDIR takes the applications from EF.DIR: templates 61 with AID (4F) and
// path (51) (ISO 7816-4 §8.4). The standard's own AID has been tried by name
// before, so that one only counts by its path.
func decodeDIR(file []byte) []application {
	var apps []application
	add := func(a application) {
		if !slices.ContainsFunc(apps, func(b application) bool { return bytes.Equal(a.AID, b.AID) && bytes.Equal(a.Path, b.Path) }) {
			apps = append(apps, a)
		}
	}
	for o, err := range tlv.Objects(file) {
		if err != nil || len(apps) >= maxListed {
			break
		}
		if o.Tag != 0x61 {
			continue
		}
		path, _ := tlv.Find(o.Value, 0x51)
		absolute := bytes.HasPrefix(path, masterFile) && len(path)%2 == 0 && len(path) <= 16
		if absolute && len(path) > 2 {
			add(application{How: "path in EF.DIR", Path: bytes.Clone(path)})
		} else {
			path = nil
		}
		aid, _ := tlv.Find(o.Value, 0x4F)
		if len(aid) > 0 && len(aid) <= 16 && !bytes.Equal(aid, standardAID) {
			add(application{How: "AID in EF.DIR", AID: bytes.Clone(aid), Path: bytes.Clone(path)})
		}
	}
	return apps
}

// readRecords reads the current file record by record (ISO 7816-4 §11.4.3).
func (c *Card) readRecords(ctx context.Context) ([]byte, error) {
	var file []byte
	for n := 1; n <= 16; n++ {
		r, err := c.command(ctx, apdu.Command{INS: insReadRecord, P1: byte(n), P2: 0x04, Le: apdu.MaxShortLe})
		if err != nil {
			return nil, err
		}
		switch {
		case r.SW == apdu.OK || r.SW == apdu.EndOfFile:
			file = append(file, r.Data...)
		case n > 1:
			return file, nil
		default:
			return nil, r.SW
		}
	}
	return file, nil
}

// isStatus tells whether an error is the card's own refusal.
func isStatus(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}
