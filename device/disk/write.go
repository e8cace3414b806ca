package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// chunk is how many bytes are written at once. It is a multiple of the erase blocks of SD
// cards.
const chunk = 4 << 20

// Device is an open disk.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error   // waits until the disk has what was written
	Forget() error // makes later reads come from the disk and not from memory
}

// Written is what Write has written.
type Written struct {
	Size   int64 // in bytes
	Digest [sha256.Size]byte
}

// Write copies an image to the start of a disk and waits until the disk has it. It writes
// the first chunk, which has the partition table, last, so that a disk whose writing was
// interrupted does not start. It calls progress with the bytes written so far.
//
// The image is padded with zeros to a whole sector.
func Write(ctx context.Context, to Device, image io.Reader, progress func(written int64)) (Written, error) {
	buffer := make([]byte, chunk)
	var head []byte
	var at int64
	digest := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return Written{}, fmt.Errorf("cannot write image: %w", err)
		}
		n, err := io.ReadFull(image, buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return Written{}, fmt.Errorf("cannot read image: %w", err)
		}
		for ; n%sector != 0; n++ {
			buffer[n] = 0
		}
		part := buffer[:n]
		_, _ = digest.Write(part) // never fails
		if head == nil {
			head = bytes.Clone(part)
			part = make([]byte, n)
		}
		if _, err := to.WriteAt(part, at); err != nil {
			return Written{}, writeError(at, err)
		}
		at += int64(n)
		// Each chunk reaches the disk before the next one. So the progress is true, and
		// an error belongs to its chunk.
		if err := flush(to); err != nil {
			return Written{}, writeError(at, err)
		}
		progress(at)
	}
	if head == nil {
		return Written{}, errors.New("cannot write image: it is empty")
	}
	if _, err := to.WriteAt(head, 0); err != nil {
		return Written{}, writeError(0, err)
	}
	if err := flush(to); err != nil {
		return Written{}, writeError(0, err)
	}
	w := Written{Size: at}
	digest.Sum(w.Digest[:0])
	return w, nil
}

// sector is the unit of raw devices in bytes.
const sector = 512

// flush waits until the disk has what was written. Some devices cannot be asked.
func flush(f Device) error {
	err := f.Sync()
	if errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

func writeError(at int64, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("cannot write image: the disk ends after %s, and the image is larger", FormatSize(at))
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("cannot write image: the disk fails at %s: use another card", FormatSize(at))
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("cannot write image: the disk went away at %s: was it pulled out?", FormatSize(at))
	}
	return fmt.Errorf("cannot write image at %s: %w", FormatSize(at), err)
}

// ErrDiffers says that a disk does not contain what was written.
var ErrDiffers = errors.New("the disk does not contain what was written: use another card")

// Verify reads what Write has written and compares it. It calls progress with the bytes
// read so far.
func Verify(ctx context.Context, on Device, w Written, progress func(read int64)) error {
	if err := on.Forget(); err != nil {
		return fmt.Errorf("cannot verify image: %w", err)
	}
	digest := sha256.New()
	buffer := make([]byte, chunk)
	for at := int64(0); at < w.Size; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("cannot verify image: %w", err)
		}
		part := buffer[:min(chunk, w.Size-at)]
		if _, err := on.ReadAt(part, at); err != nil {
			return fmt.Errorf("cannot verify image: the disk cannot be read at %s: use another card: %w", FormatSize(at), err)
		}
		_, _ = digest.Write(part) // never fails
		at += int64(len(part))
		progress(at)
	}
	if [sha256.Size]byte(digest.Sum(nil)) != w.Digest {
		return fmt.Errorf("cannot verify image: %w", ErrDiffers)
	}
	return nil
}
