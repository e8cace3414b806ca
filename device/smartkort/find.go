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

// Where the driver looks for an ISO 7816-15 application.
var (
	standardAID  = []byte("\xA0\x00\x00\x00\x63PKCS-15") // PKCS #15 §5.4
	standardPath = []byte{0x3F, 0x00, 0x50, 0x15}        // PKCS #15 §5.4, cards without AIDs
	fileDIR      = []byte{0x3F, 0x00, 0x2F, 0x00}        // ISO 7816-4 §8.4
	fileODF      = []byte{0x50, 0x31}                    // ISO 7816-15 §7.4
	fileToken    = []byte{0x50, 0x32}                    // ISO 7816-15 §7.9
)

// application says where the card's application is and how it was found.
type application struct {
	How    string // for the technician
	Applet []byte // AID of the applet that holds the application, selected first; nil when there is no applet
	AID    []byte // the application is selected by this AID, if set
	Path   []byte // absolute path, if known
}

// find tries the ways to an application until one leads to a readable object
// directory: first the way that worked for cards with this answer to reset,
// then the ways of the standard, then the known applets, then the profile's
// own description of the card. When the card refuses one way, find tries the
// next. A transport error ends the search.
func (c *Card) find(ctx context.Context) error {
	if k := c.cache.kind(c.channel.ATR()); k != nil {
		if found, err := c.tryKind(ctx, k); found || err != nil {
			return err
		}
	}
	var broken error
	named, others := c.profiles.applets(c.channel.ATR())
	if found, err := c.findInApplets(ctx, named, &broken); found || err != nil {
		return err
	}
	found, err := c.findIn(ctx, nil, &broken)
	if found || err != nil {
		return err
	}
	if found, err := c.findInApplets(ctx, others, &broken); found || err != nil {
		return err
	}
	if found, err := c.findByProfile(ctx, nil); found || err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	return ErrUnknownCard
}

// findInApplets tries the applets. A profile that describes the content of an applet
// is used without a search.
func (c *Card) findInApplets(ctx context.Context, applets [][]byte, broken *error) (found bool, err error) {
	for _, aid := range applets {
		c.at = elsewhere
		_, err := c.selectBy(ctx, byAID, aid)
		if isStatus(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		found, err := c.findByProfile(ctx, aid)
		if found || err != nil {
			return found, err
		}
		if len(c.profile.Keys) > 0 && c.profile.names(aid) { // the applet has no directory
			continue
		}
		if found, err := c.findIn(ctx, aid, broken); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// findIn tries the standard's ways, on the whole card or within an applet. If
// an application is found but malformed, broken is set to the error.
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

// try checks one place for an application.
func (c *Card) try(ctx context.Context, a application, broken *error) (found bool, err error) {
	if c.channel.sent >= maxSearch {
		return false, fmt.Errorf("%w: no application found after %d APDUs", apdu.ErrEndless, c.channel.sent)
	}
	c.app, c.at = a, elsewhere
	c.forgetRead()
	if err = c.enter(ctx); err == nil {
		if err = c.readTokenInfo(ctx); err == nil {
			err = c.loadApplication(ctx, nil)
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

// loadApplication loads the content of an application whose TokenInfo was
// read: what the cache remembers of the card, what it remembers of the kind k
// (nil when unknown), and the object directory.
func (c *Card) loadApplication(ctx context.Context, k *kind) error {
	c.profile = c.profiles.find(c.channel.ATR(), &c.token, c.app.Applet)
	c.memory = c.cache.get(c.tokenRaw)
	if k != nil {
		c.layout = k.layout(c.token.fingerprint)
	}
	if err := c.readODF(ctx); err != nil {
		return err
	}
	return c.checkUnchanged(ctx)
}

var odfPath = Path{File: fileODF}

// readODF reads the object directory. Its entries also show the application's
// absolute path.
func (c *Card) readODF(ctx context.Context) error {
	if c.layout != nil && c.content(odfPath) == nil {
		c.memory = map[string][]byte{odfPath.key(): c.layout.ODF}
	}
	if err := c.readODFShort(ctx); err != nil {
		return err
	}
	file, err := c.readDirectory(ctx, odfPath)
	if err != nil {
		return err
	}
	var skipped []error
	if c.odf, skipped, err = decodeODF(file); err != nil {
		return err
	}
	for _, err := range skipped {
		c.note("object directory", err)
	}
	if c.app.Path == nil {
		c.app.Path = c.odf.parent()
	}
	return nil
}

// enter selects the application's DF, unless it is selected.
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

// listed reads EF.DIR, which is a transparent file or a file of records, and
// returns the applications in it. An entry with a path comes before one with
// only an AID, because later absolute paths start with that path.
func (c *Card) listed(ctx context.Context) ([]application, error) {
	file, err := c.readDirectory(ctx, Path{File: fileDIR})
	delete(c.files, Path{File: fileDIR}.key()) // another applet has another
	var sw apdu.Status
	if errors.As(err, &sw) && sw != apdu.FileNotFound {
		file, err = c.readRecords(ctx)
	}
	if isStatus(err) || errors.Is(err, ErrMalformed) {
		return nil, nil // no usable EF.DIR
	}
	if err != nil {
		return nil, err
	}
	return decodeDIR(file), nil
}

// decodeDIR returns the applications in EF.DIR: templates 61 with AID (4F) and
// path (51) (ISO 7816-4 §8.4). findIn has already tried the standard's AID, so
// an entry with that AID is used only for its path.
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

// isStatus reports whether err is a status word from the card.
func isStatus(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}
