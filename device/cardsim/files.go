package cardsim

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"smartkiosk/device/apdu"
)

// Reserved file identifiers (ISO 7816-4 §7.4.1, 7816-15 §7.2).
const (
	idMF        = 0x3F00
	idCurrentDF = 0x3FFF
	idDIR       = 0x2F00
	idODF       = 0x5031
	idTokenInfo = 0x5032
)

// file is a dedicated file (children) or a transparent elementary file (data).
type file struct {
	id       uint16
	name     []byte // DF name, the application identifier
	dedicate bool
	parent   *file
	children []*file
	data     []byte
	secret   bool // cannot be read
	sizeTag  byte // tag of an elementary file's size in its control parameters
	claimed  int  // size to state instead of the real one, if set
}

func (f *file) add(children ...*file) *file {
	for _, child := range children {
		child.parent = f
	}
	f.children = append(f.children, children...)
	return f
}

func (f *file) child(id uint16) *file {
	for _, child := range f.children {
		if child.id == id {
			return child
		}
	}
	return nil
}

// walk follows a path of two-byte file identifiers downwards from f.
func (f *file) walk(path []byte) *file {
	for ; f != nil && len(path) >= 2; path = path[2:] {
		f = f.child(binary.BigEndian.Uint16(path))
	}
	if len(path) != 0 {
		return nil
	}
	return f
}

// byName finds the DF whose name begins with name (ISO 7816-4 §11.2.2).
func (f *file) byName(name []byte) *file {
	if len(f.name) > 0 && bytes.HasPrefix(f.name, name) {
		return f
	}
	for _, child := range f.children {
		if found := child.byName(name); found != nil {
			return found
		}
	}
	return nil
}

// df returns f if it is a DF, otherwise the DF that contains it.
func (f *file) df() *file {
	if f.dedicate {
		return f
	}
	return f.parent
}

// control returns f's control parameters under tag, 6F for FCI or 62 for FCP
// (ISO 7816-4 §7.4.3).
func (f *file) control(tag asn1.Tag) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		if f.dedicate {
			tlv(b, 0x82, 0x38)
		} else {
			size := len(f.data)
			if f.claimed != 0 {
				size = f.claimed
			}
			tlv(b, asn1.Tag(f.sizeTag), byte(size>>8), byte(size))
			tlv(b, 0x82, 0x01) // transparent working EF
		}
		tlv(b, 0x83, byte(f.id>>8), byte(f.id))
		if len(f.name) > 0 {
			tlv(b, 0x84, f.name...)
		}
		tlv(b, 0x8A, 0x05) // operational, activated
	})
	return b.BytesOrPanic()
}

func tlv(b *cryptobyte.Builder, tag asn1.Tag, value ...byte) {
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(value) })
}

// selectFile is SELECT (ISO 7816-4 §11.2.2).
func (c *Card) selectFile(cmd apdu.Command) ([]byte, apdu.Status) {
	if c.layout.applet != nil && (c.outside || cmd.P1 == 0x04) {
		return c.selectApplet(cmd)
	}
	var found *file
	switch cmd.P1 {
	case 0x00: // by identifier: the MF, or next to the current DF
		found = c.byIdentifier(cmd.Data)
	case 0x01, 0x02: // a DF, an EF under the current DF
		found = c.current.df().walk(cmd.Data)
		if found != nil && found.dedicate != (cmd.P1 == 0x01) {
			found = nil
		}
	case 0x03: // the parent of the current DF
		found = c.current.df().parent
	case 0x04: // by DF name
		if len(cmd.Data) == 0 {
			return nil, apdu.WrongData
		}
		found = c.root.byName(cmd.Data)
	case 0x08: // by path from the MF
		found = c.root.walk(cmd.Data)
	case 0x09: // by path from the current DF
		found = c.current.df().walk(cmd.Data)
	default:
		return nil, apdu.WrongP1P2
	}
	if found == nil {
		return nil, apdu.FileNotFound
	}
	var tag asn1.Tag
	switch cmd.P2 {
	case 0x00:
		tag = 0x6F
	case 0x04:
		tag = 0x62
	case 0x0C:
	default:
		return nil, apdu.WrongP1P2
	}
	c.current = found
	// The MF of the Smartkort answers 9000 without response data.
	if tag == 0 || found == c.root {
		return nil, apdu.OK
	}
	return found.control(tag), apdu.OK
}

// selectApplet is SELECT on a card with applets, by the whole AID or its first
// bytes. Nothing else can be selected before it. It selects the applet's MF.
func (c *Card) selectApplet(cmd apdu.Command) ([]byte, apdu.Status) {
	if cmd.P1 != 0x04 || len(cmd.Data) == 0 || !bytes.HasPrefix(c.layout.applet, cmd.Data) {
		return nil, apdu.FileNotFound
	}
	if c.outside || !c.layout.keepsStatus {
		c.forget()
	}
	c.outside = false
	return c.layout.greeting, apdu.OK
}

func (c *Card) byIdentifier(data []byte) *file {
	if len(data) == 0 {
		return c.root
	}
	if len(data) != 2 {
		return nil
	}
	df := c.current.df()
	switch id := binary.BigEndian.Uint16(data); {
	case id == idMF:
		return c.root
	case id == idCurrentDF || id == df.id:
		return df
	case df.child(id) != nil:
		return df.child(id)
	case df.parent != nil:
		return df.parent.child(id)
	}
	return nil
}

// Short EF identifiers (PKCS #15 v1.1 §5.5).
var shortIDs = map[byte]uint16{0x11: idODF, 0x12: idTokenInfo}

// readBinary is READ BINARY with a 15-bit offset in P1-P2, or with a short EF
// identifier in P1 if the kind has them (ISO 7816-4 §11.3.3). The identifier also
// selects the file.
func (c *Card) readBinary(cmd apdu.Command) ([]byte, apdu.Status) {
	offset := int(cmd.P1)<<8 | int(cmd.P2)
	if cmd.P1&0x80 != 0 {
		if !c.layout.shortIDs || cmd.P1&0x60 != 0 {
			return nil, apdu.WrongP1P2
		}
		found := c.current.df().child(shortIDs[cmd.P1&0x1F])
		if found == nil {
			return nil, apdu.FileNotFound
		}
		c.current, offset = found, int(cmd.P2)
	}
	switch {
	case c.current.dedicate:
		return nil, apdu.CommandNotAllowed
	case c.current.secret:
		return nil, apdu.SecurityStatus
	case offset >= len(c.current.data):
		return nil, apdu.WrongOffset
	}
	return c.current.data[offset:], apdu.OK
}
