package smartkort

import (
	"bytes"
	"context"

	"smartkiosk/device/apdu/tlv"
)

// headBytes is the number of bytes of the certificate directory that the driver reads
// first, if the card answers a read beyond the end of the file with 6Cxx. On such a card
// the whole directory takes one more command, and its first entry often describes the
// authentication certificate. The number is a little more than the length of an entry.
const headBytes = 64

// headKey is the key in Card.files and Card.memory of the first objects of a
// directory.
func headKey(p Path) string { return p.key() + " head" }

// headObjects returns the first objects of the certificate directory, if they
// describe a certificate for each of the keys. ok is false when the whole
// directory must be read.
func (c *Card) headObjects(ctx context.Context, keys []Key) (objects []certificateObject, ok bool, err error) {
	if c.wholeCerts || c.certsRead || len(c.odf.certificates) != 1 || len(keys) == 0 {
		return nil, false, nil
	}
	p := c.odf.certificates[0]
	enough := func(file []byte) bool {
		objects = nil
		for o, err := range tlv.Objects(file) {
			if err != nil || o.Tag != tagSequence {
				return false
			}
			object, err := decodeCertificate(o)
			if err != nil {
				return false
			}
			objects = append(objects, object)
		}
		return describeAll(objects, keys)
	}
	if c.content(p) != nil {
		return nil, false, nil
	}
	head := c.files[headKey(p)]
	if head == nil {
		head = c.memory[headKey(p)]
	}
	if head == nil && c.channel.t0 && c.channel.strict {
		if head, err = c.readHead(ctx, p, enough); err != nil {
			return nil, false, err
		}
	}
	if head == nil || !enough(head) {
		return nil, false, nil
	}
	c.headRead, c.certificates = true, objects
	return objects, true, nil
}

// describeAll reports whether each key has a certificate of its own.
func describeAll(objects []certificateObject, keys []Key) bool {
	for _, k := range keys {
		found := false
		for _, o := range objects {
			found = found || bytes.Equal(o.id, k.ID) && !o.authority
		}
		if !found {
			return false
		}
	}
	return true
}

// readHead reads the objects of a directory until there are enough. If that is the
// whole directory, it stores it as such and returns nil.
func (c *Card) readHead(ctx context.Context, p Path, enough func([]byte) bool) (head []byte, err error) {
	size, err := c.selectFile(ctx, p)
	if isStatus(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := fileReader{card: c, offset: p.Offset, size: size, first: headBytes, enough: enough}
	file, err := r.objects(ctx, p.Length)
	switch {
	case err != nil && skippable(err):
		return nil, nil
	case err != nil:
		return nil, err
	case r.whole:
		c.files[p.key()] = file
		return nil, nil
	}
	c.files[headKey(p)] = file
	return file, nil
}
