package smartkort

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

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
	how  string // for the technician
	aid  []byte // selected by name, if set
	path []byte // absolute; known of an application found by it or by EF.DIR
}

// find goes through the ways to an application until one leads to an object
// directory that can be read. A way that the card refuses is left for the
// next; an error in transport ends it.
func (c *Card) find(ctx context.Context) error {
	broken := error(nil)
	try := func(a application) (found bool, err error) {
		c.app, c.at = a, elsewhere
		file, err := c.readDirectory(ctx, Path{File: fileODF})
		if err == nil {
			c.odf, err = decodeODF(file)
		}
		var sw apdu.Status
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, ErrMalformed):
			broken = err
			return false, nil
		case errors.As(err, &sw):
			return false, nil
		}
		return false, err
	}

	if found, err := try(application{how: "AID of the standard", aid: standardAID}); found || err != nil {
		return err
	}
	listed, err := c.listed(ctx)
	if err != nil {
		return err
	}
	ways := append(listed, application{how: "path 3F00/5015", path: standardPath})
	for _, aid := range c.profile.applets {
		b, err := hex.DecodeString(aid)
		if err != nil {
			return fmt.Errorf("profile %s: applet %q: %v", c.profile.name, aid, err)
		}
		ways = append(ways, application{how: "AID of profile " + c.profile.name, aid: b})
	}
	for _, a := range ways {
		if found, err := try(a); found || err != nil {
			return err
		}
	}
	if broken != nil {
		return broken
	}
	return ErrUnknownCard
}

// enter makes the application's DF the current one, if it is not.
func (c *Card) enter(ctx context.Context) error {
	if c.at == inApplication {
		return nil
	}
	var err error
	if c.app.aid != nil {
		_, err = c.selectBy(ctx, byAID, c.app.aid)
	} else {
		_, err = c.selectPath(ctx, fromMF, c.app.path[2:], masterFile)
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
	var sw apdu.Status
	if errors.As(err, &sw) && sw != apdu.FileNotFound {
		file, err = c.readRecords(ctx)
	}
	if errors.As(err, &sw) || errors.Is(err, ErrMalformed) {
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
	for o, err := range tlv.Objects(file) {
		if err != nil || len(apps) >= 16 {
			break
		}
		if o.Tag != 0x61 {
			continue
		}
		path, _ := tlv.Find(o.Value, 0x51)
		absolute := bytes.HasPrefix(path, masterFile) && len(path)%2 == 0 && len(path) <= 16
		if absolute && len(path) > 2 {
			apps = append(apps, application{how: "path in EF.DIR", path: bytes.Clone(path)})
		} else {
			path = nil
		}
		aid, _ := tlv.Find(o.Value, 0x4F)
		if len(aid) > 0 && len(aid) <= 16 && !bytes.Equal(aid, standardAID) {
			apps = append(apps, application{how: "AID in EF.DIR", aid: bytes.Clone(aid), path: bytes.Clone(path)})
		}
	}
	return apps
}

// readRecords reads the current file record by record (ISO 7816-4 §11.4.3).
func (c *Card) readRecords(ctx context.Context) ([]byte, error) {
	var file []byte
	for n := 1; n <= 16; n++ {
		r, err := apdu.Exchange(ctx, c.conn, apdu.Command{INS: insReadRecord, P1: byte(n), P2: 0x04, Le: apdu.MaxShortLe})
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
