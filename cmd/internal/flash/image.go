package flash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// imageFile is an image that is read from its start.
type imageFile struct {
	io.Reader
	size  int64        // of the content in bytes; 0 if the file does not say
	whole int64        // of the file
	read  atomic.Int64 // bytes of the file that were read so far; the decoder reads ahead
	close func() error
}

// openImage opens an image, which may be compressed with zstd.
func openImage(path string) (*imageFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read image: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	head := make([]byte, zstd.HeaderMaxSize)
	n, _ := f.ReadAt(head, 0) // an error shows itself again
	head = head[:n]
	i := &imageFile{size: info.Size(), whole: info.Size(), close: f.Close}
	counted := counter{f, &i.read}
	switch {
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var header zstd.Header
		if i.size = 0; header.Decode(head) == nil && header.HasFCS {
			i.size = int64(header.FrameContentSize)
		}
		d, err := zstd.NewReader(counted, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		i.Reader, i.close = d, func() error { d.Close(); return f.Close() }
		return i, nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ")), bytes.HasPrefix(head, []byte{0x1f, 0x8b}), bytes.HasPrefix(head, []byte("PK")):
		_ = f.Close()
		return nil, fmt.Errorf("cannot read image %s: it is compressed, but not with zstd: decompress it first", path)
	}
	i.Reader = counted
	return i, nil
}

func (i *imageFile) Close() error { return i.close() }

// fraction returns how much of the image was written. If the file does not say how large
// its content is, that is how much of the file was read.
func (i *imageFile) fraction(written int64) float64 {
	if i.size > 0 {
		return float64(written) / float64(i.size)
	}
	return float64(i.read.Load()) / float64(max(i.whole, 1))
}

// counter counts what is read.
type counter struct {
	from io.Reader
	n    *atomic.Int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(int64(n))
	return n, err
}
