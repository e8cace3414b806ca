package recording

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

const (
	insVerify       = 0x20
	insMSE          = 0x22
	insChange       = 0x24
	insPSO          = 0x2A
	insResetCounter = 0x2C
	insInternalAuth = 0x88
	insSelect       = 0xA4
	insReadBinary   = 0xB0
	insReadDO       = 0xB1
	insReadRecord   = 0xB2
	insReadRecordDO = 0xB3
	insGetResponse  = 0xC0
	insGetData      = 0xCA
	insGetDataDO    = 0xCB
)

// purposes are the comments in a recording. Responses to the commands in readable
// are kept until they are replaced.
var (
	purposes = map[byte]string{
		insSelect: "SELECT", insReadBinary: "READ BINARY", insReadDO: "READ BINARY", insReadRecord: "READ RECORD", insReadRecordDO: "READ RECORD",
		insGetData: "GET DATA", insGetDataDO: "GET DATA", insGetResponse: "GET RESPONSE", insMSE: "MANAGE SECURITY ENVIRONMENT",
		insVerify: "VERIFY, the PIN is blanked", insChange: "CHANGE REFERENCE DATA, the PINs are blanked", insResetCounter: "RESET RETRY COUNTER, the PINs are blanked",
		insPSO: "PERFORM SECURITY OPERATION, the hash is blanked", insInternalAuth: "INTERNAL AUTHENTICATE, the hash is blanked",
	}
	readable = map[byte]bool{
		insSelect: true, insReadBinary: true, insReadDO: true, insReadRecord: true, insReadRecordDO: true, insGetData: true, insGetDataDO: true,
	}
)

// purpose returns the comment for a command.
func purpose(c apdu.Command) string {
	if p, ok := purposes[c.INS]; ok {
		return p
	}
	return fmt.Sprintf("instruction %02X, its data is blanked", c.INS)
}

// maxNamed is the maximum length in bytes of a file identifier, path or AID.
const maxNamed = 16

// blanked returns a copy of a command without PIN, challenge and unknown data.
func blanked(c apdu.Command) apdu.Command {
	data := c.Data
	c.Data = make([]byte, len(data))
	switch {
	case readable[c.INS] && len(data) <= maxNamed:
		copy(c.Data, data)
	case c.INS == insVerify:
		blankPIN(c.Data, data)
	case c.INS == insMSE:
		blankReferences(c.Data, data)
	case c.INS == insPSO, c.INS == insInternalAuth:
		copy(c.Data, data[:formOf(data)])
	}
	return c
}

// blankPIN writes the form of a padded PIN to to, which is all zero.
func blankPIN(to, data []byte) {
	digits := bytes.TrimRight(data, "\x00\xFF")
	if len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0 {
		to[0] = '0'
	}
	if n := len(data); n > 1 && data[n-1] == 0xFF {
		to[n-1] = 0xFF
	}
}

// blankReferences copies the tags, lengths and references of MANAGE SECURITY
// ENVIRONMENT (ISO 7816-4 §10.3.3) to to, which is all zero.
func blankReferences(to, data []byte) {
	for rest := data; len(rest) > 0; {
		o, next, err := tlv.Next(rest)
		if err != nil {
			return
		}
		at := len(data) - len(rest)
		header := len(o.Raw) - len(o.Value)
		copy(to[at:], o.Raw[:header])
		switch o.Tag {
		case 0x80, 0x81, 0x83, 0x84, 0x95:
			if len(o.Value) <= maxNamed {
				copy(to[at+header:], o.Value)
			}
		}
		rest = next
	}
}

// digestInfos are the headers of DigestInfo (RFC 8017 §9.2 note 1), up to the hash:
// SHA-1, SHA-256, SHA-384, SHA-512.
var digestInfos = func() (all [][]byte) {
	for _, h := range []string{
		"3021300906052b0e03021a05000414",
		"3031300d060960864801650304020105000420",
		"3041300d060960864801650304020205000430",
		"3051300d060960864801650304020305000440",
	} {
		b, err := hex.DecodeString(h)
		if err != nil {
			panic(err)
		}
		all = append(all, b)
	}
	return all
}()

// formOf returns the length of the part of data to be signed that is the same for
// every challenge: the padding of PKCS #1 (RFC 8017 §9.2) and the header of
// DigestInfo. It is 0 if data has neither.
func formOf(data []byte) int {
	n := 0
	if rest := bytes.TrimPrefix(data, []byte{0}); len(rest) > 8 && rest[0] == 0x01 {
		padding := bytes.TrimLeft(rest[1:], "\xFF")
		if len(rest)-1-len(padding) >= 8 {
			n = len(data) - len(padding)
			if len(padding) > 0 && padding[0] == 0 {
				n++
			}
		}
	}
	for _, header := range digestInfos {
		if bytes.HasPrefix(data[n:], header) {
			return n + len(header)
		}
	}
	return n
}
