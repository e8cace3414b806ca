package smartkort

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/tlv"
)

// Tags of a certificate's data object (NIST SP 800-73-4 part 1, appendix A).
const (
	tagTagList     = 0x5C
	tagData        = 0x53
	tagCertificate = 0x70
	tagCertInfo    = 0x71
)

// readDataObject reads the certificate in a data object of the application with GET
// DATA (ISO 7816-4 §11.4.3, SP 800-73-4 part 2, 3.1.2). The certificate may be
// compressed.
func (c *Card) readDataObject(ctx context.Context, tag []byte) ([]byte, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	object, err := c.channel.demand(ctx, apdu.Command{
		INS: insGetData, P1: 0x3F, P2: 0xFF, Data: tlv.Append(nil, tagTagList, tag...), Le: c.channel.largest(),
	})
	if err != nil {
		return nil, err
	}
	return decodeDataObject(object)
}

func decodeDataObject(object []byte) ([]byte, error) {
	der, ok := tlv.Find(object, tagData, tagCertificate)
	if !ok || len(der) == 0 {
		return nil, fmt.Errorf("%w: data object without a certificate", ErrMalformed)
	}
	info, _ := tlv.Find(object, tagData, tagCertInfo)
	if len(info) != 1 || info[0]&0x01 == 0 {
		return der, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(der))
	if err != nil {
		return nil, fmt.Errorf("%w: compressed certificate: %v", ErrMalformed, err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil || len(plain) > maxFile {
		return nil, fmt.Errorf("%w: compressed certificate of %d bytes: %v", ErrMalformed, len(plain), err)
	}
	return plain, nil
}
