package flash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	diskfs "github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"

	"smartkiosk/cmd/internal/bootfiles"
)

// sector is the unit of a partition table in bytes.
const sector = 512

// maxBoot bounds the part of an image that is kept in a file for a while.
const maxBoot = 1 << 30

// extent is where the boot partition is in an image, in bytes.
type extent struct{ Start, Size int64 }

// End returns the offset of the first byte after the partition.
func (e extent) End() int64 { return e.Start + e.Size }

// findBoot finds the boot partition in the first sector of an image: the first partition
// of the master boot record, which must be FAT32.
func findBoot(first []byte) (extent, error) {
	if len(first) < sector || first[510] != 0x55 || first[511] != 0xaa {
		return extent{}, errors.New("it has no partition table")
	}
	entry := first[446:462]
	if kind := entry[4]; kind != 0x0b && kind != 0x0c {
		return extent{}, fmt.Errorf("its first partition is of type %#02x and not FAT32", kind)
	}
	e := extent{
		Start: int64(binary.LittleEndian.Uint32(entry[8:])) * sector,
		Size:  int64(binary.LittleEndian.Uint32(entry[12:])) * sector,
	}
	if e.Start < sector || e.Size == 0 || e.End() > maxBoot {
		return extent{}, errors.New("its boot partition has an impossible size")
	}
	return e, nil
}

// insert returns an image with the files on its boot partition. The caller must close it.
// It keeps the image from its start to the end of the boot partition in a temporary
// file.
func insert(image io.Reader, f bootfiles.Files) (io.ReadCloser, error) {
	start, err := os.CreateTemp("", "kioskctl-boot")
	if err != nil {
		return nil, err
	}
	in := &inserted{start: start}
	fail := func(err error) (io.ReadCloser, error) { return nil, errors.Join(err, in.Close()) }
	first := make([]byte, sector)
	if _, err := io.ReadFull(image, first); err != nil {
		return fail(fmt.Errorf("cannot read image: %w", err))
	}
	boot, err := findBoot(first)
	if err != nil {
		return fail(fmt.Errorf("cannot use image: %w", err))
	}
	if _, err := start.Write(first); err != nil {
		return fail(err)
	}
	if _, err := io.CopyN(start, image, boot.End()-sector); err != nil {
		return fail(fmt.Errorf("cannot read image: %w", err))
	}
	if err := writeFAT(start, boot, f); err != nil {
		return fail(fmt.Errorf("cannot write to the image's boot partition: %w", err))
	}
	if _, err := start.Seek(0, io.SeekStart); err != nil {
		return fail(err)
	}
	in.Reader = io.MultiReader(start, image)
	return in, nil
}

type inserted struct {
	io.Reader
	start *os.File
}

func (i *inserted) Close() error { return errors.Join(i.start.Close(), os.Remove(i.start.Name())) }

// writeFAT writes files to the FAT32 file system of a partition.
func writeFAT(image *os.File, boot extent, f bootfiles.Files) (err error) {
	defer func() { // the library panics at some damaged file systems
		if r := recover(); r != nil {
			err = fmt.Errorf("it is damaged: %v", r)
		}
	}()
	fat, err := fat32.Read(diskfs.New(image, false), boot.Size, boot.Start, sector)
	if err != nil {
		return err
	}
	for _, one := range f.List() {
		file, err := fat.OpenFile("/"+one.Name, os.O_CREATE|os.O_RDWR|os.O_TRUNC)
		if err != nil {
			return err
		}
		_, err = file.Write(one.Text)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return forgetFree(image, boot)
}

// forgetFree marks the number of free clusters in the FSInfo sector (FAT32 specification
// §5) as unknown. The library does not count.
func forgetFree(image *os.File, boot extent) error {
	info := make([]byte, 2)
	if _, err := image.ReadAt(info, boot.Start+48); err != nil {
		return err
	}
	_, err := image.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, boot.Start+int64(binary.LittleEndian.Uint16(info))*sector+488)
	return err
}
