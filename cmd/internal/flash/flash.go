// Package flash has the commands that make SD cards for kiosks. They need no hardware of a
// kiosk, so that they also work on a laptop with macOS.
package flash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smartkiosk/cmd/internal/bootfiles"
	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/disk"
)

// Program is what the commands work with.
type Program struct {
	Root           string // folder of the machine's files: "/", except in tests
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// FlashCommand writes an image to an SD card.
func (p Program) FlashCommand() *cobra.Command {
	var device, files string
	c := &cobra.Command{
		Use:   "flash [IMAGE]",
		Short: "Write a kiosk's image to an SD card, and verify it",
		Long: `Write a kiosk's image to an SD card, and verify it by reading it back. The image may
be compressed with zstd. Without --device the command lists this machine's disks.

It refuses disks that are mounted, not removable, or used by the running system, and
asks before it erases one. A card whose writing was interrupted does not start.

--files names a folder with kiosk.toml and code.txt, which "kioskctl provision" makes.
They go to the card's boot partition. They can also be copied there by hand, after this
command or Raspberry Pi Imager has written the card.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if device == "" {
				return p.listDisks()
			}
			if len(args) == 0 {
				return cli.Usagef("IMAGE is missing")
			}
			return p.flash(c.Context(), args[0], device, files)
		},
	}
	c.Flags().StringVar(&device, "device", "", "`disk` to erase, for example /dev/sdb")
	c.Flags().StringVar(&files, "files", "", "`folder` with kiosk.toml and code.txt")
	return c
}

func (p Program) listDisks() error {
	disks, err := disk.List(p.Root)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tSIZE\tBUS\tNAME\t")
	for _, d := range disks {
		remark := ""
		if err := d.Refusal(); err != nil {
			remark = "refused: " + err.Error()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Path, disk.FormatSize(d.Size), d.Bus, d.Name, remark)
	}
	return w.Flush()
}

func (p Program) flash(ctx context.Context, path, device, folder string) error {
	disks, err := disk.List(p.Root)
	if err != nil {
		return err
	}
	d, err := disk.Find(disks, device)
	if err == nil {
		err = d.Refusal()
	}
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", device, err)
	}
	image, err := openImage(path)
	if err != nil {
		return err
	}
	defer image.Close()
	if image.size > d.Size {
		return fmt.Errorf("cannot write to %s: the image needs %s, and the disk has %s", device, disk.FormatSize(image.size), disk.FormatSize(d.Size))
	}
	var content io.Reader = image
	if folder != "" {
		files, err := bootfiles.ReadFiles(folder)
		if err != nil {
			return fmt.Errorf("cannot use --files %s: %w", folder, err)
		}
		defer files.Code.Wipe()
		inserted, err := insert(image, files)
		if err != nil {
			return err
		}
		defer inserted.Close()
		content = inserted
	}
	if err := p.agree(ctx, d); err != nil {
		return err
	}
	return p.write(ctx, d, content, image)
}

// agree asks the person before a disk is erased.
func (p Program) agree(ctx context.Context, d disk.Disk) error {
	fmt.Fprintf(p.Stderr, "%s: %s, %s, %s\nErase everything on it? Type yes: ", d.Path, disk.FormatSize(d.Size), d.Bus, d.Name)
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReaderSize(p.Stdin, 64).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case answer := <-typed:
		if answer != "yes" {
			return errors.New("nothing was written")
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nothing was written: %w", ctx.Err())
	}
}

func (p Program) write(ctx context.Context, d disk.Disk, content io.Reader, image *imageFile) error {
	to, err := disk.Open(p.path(d.Path))
	if err != nil {
		return err
	}
	defer to.Close() // Write has waited until the disk has everything
	bar := newProgress(p.Stderr, "writing", image.fraction)
	w, err := disk.Write(ctx, to, content, bar.at)
	bar.end()
	if err != nil {
		return err
	}
	bar = newProgress(p.Stderr, "verifying", func(read int64) float64 { return float64(read) / float64(w.Size) })
	err = disk.Verify(ctx, to, w, bar.at)
	bar.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s was written to %s and verified. You can take the card out.\n", disk.FormatSize(w.Size), d.Path)
	return err
}

func (p Program) path(device string) string {
	if p.Root == "/" {
		return device
	}
	return p.Root + device
}
