package smartkort

import (
	"context"

	"smartkiosk/device/apdu"
)

// Short EF identifiers of the application's files (PKCS #15 v1.1 §5.5).
const (
	shortODF   = 0x11
	shortToken = 0x12
)

// readShort begins to read a file of the selected application by its short EF
// identifier (ISO 7816-4 §7.3.2). That saves the SELECT. Many cards have no short
// identifiers; readShort asks a card only until it refuses. ok is false when the
// file must be selected.
func (c *Card) readShort(ctx context.Context, id byte) (r *fileReader, ok bool, err error) {
	if c.noShort {
		return nil, false, nil
	}
	answer, err := c.command(ctx, apdu.Command{INS: insReadBinary, P1: 0x80 | id, Le: blockBytes})
	if err != nil {
		return nil, false, err
	}
	if len(answer.Data) == 0 || answer.SW != apdu.OK && answer.SW != apdu.EndOfFile {
		c.noShort = true
		return nil, false, nil
	}
	r = &fileReader{card: c, begun: true}
	r.add(answer.Data, blockBytes, answer.SW)
	return r, true, nil
}

// readTokenInfoShort reads EF.TokenInfo by its short identifier. done is false when
// it must be selected: the card refuses, or what it returns is no TokenInfo.
func (c *Card) readTokenInfoShort(ctx context.Context) (done bool, err error) {
	r, ok, err := c.readShort(ctx, shortToken)
	if !ok {
		return false, err
	}
	file, err := r.object(ctx, 0)
	if err == nil {
		c.tokenRaw = file
		c.token, err = decodeTokenInfo(file)
	}
	if err == nil {
		c.shortIDs = true
		return true, nil
	}
	c.noShort, c.token, c.tokenRaw = true, TokenInfo{}, nil
	if skippable(err) {
		return false, nil
	}
	return false, err
}

// readODFShort reads the object directory by its short identifier, on a card that has
// them. Without a result the file must be selected.
func (c *Card) readODFShort(ctx context.Context) error {
	if !c.shortIDs || c.content(odfPath) != nil {
		return nil
	}
	r, ok, err := c.readShort(ctx, shortODF)
	if !ok {
		return err
	}
	file, err := r.objects(ctx, 0)
	if err == nil {
		_, _, err = decodeODF(file)
	}
	if err == nil {
		c.files[odfPath.key()] = file
		return nil
	}
	if skippable(err) && len(r.data) <= blockBytes { // a longer one is not read twice
		return nil
	}
	return err
}
