package cuts

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// faultsName is the name of the file that controls a Folder's faults. Each write
// to it replaces the list of Faults.
const faultsName = "faults"

// Access is a way to use a disk.
type Access string

// The accesses.
const (
	Read   Access = "read"
	Write  Access = "write"  // also to a file's size
	Sync   Access = "sync"   // of a file: the writes since the last sync are lost, although the page cache has them; or of the folder
	Change Access = "change" // creating, renaming and removing names, and opening a file for writing
)

// Fault is an access that a disk refuses.
type Fault struct {
	Access   Access
	File     string // the file's current name, "" for any
	From, To int64  // the range of bytes, for Read and Write; To 0 means all
	Pass     int    // the number of accesses that succeed first
	Errno    syscall.Errno

	number int // the file's number, 0 for any
}

// Refuse sets the accesses that a folder under recording refuses from now on. It
// also drops the folder's files from the page cache.
func Refuse(folder string, faults ...Fault) error {
	var text strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&text, "%s %q %d %d %d %d\n", f.Access, f.File, f.From, f.To, f.Pass, int(f.Errno))
	}
	file, err := os.OpenFile(folder+"/"+faultsName, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text.String() + "\n")
	return err
}

func parseFaults(text string) (faults []Fault, err error) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		var f Fault
		var errno int
		if _, err := fmt.Sscanf(line, "%s %q %d %d %d %d", &f.Access, &f.File, &f.From, &f.To, &f.Pass, &errno); err != nil {
			return nil, fmt.Errorf("cannot read fault %q: %w", line, err)
		}
		f.Errno = syscall.Errno(errno)
		faults = append(faults, f)
	}
	return faults, nil
}

// refuses returns the error of an access, or 0 if the access succeeds.
func (r *rootNode) refuses(a Access, file int, from, length int64) syscall.Errno {
	for i := range r.faults {
		f := &r.faults[i]
		if f.Access != a || f.number != 0 && f.number != file || f.To != 0 && (from >= f.To || f.From >= from+length) {
			continue
		}
		if f.Pass--; f.Pass < 0 {
			return f.Errno
		}
	}
	return 0
}

// faultsNode is the file that controls the faults.
type faultsNode struct {
	fs.Inode
	root *rootNode
}

var (
	_ fs.NodeOpener = (*faultsNode)(nil)
	_ fs.NodeWriter = (*faultsNode)(nil)
)

// Open implements fs.NodeOpener.
func (n *faultsNode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Write implements fs.NodeWriter.
func (n *faultsNode) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	faults, err := parseFaults(string(data))
	if err != nil {
		return 0, syscall.EINVAL
	}
	files := map[string]*fileNode{}
	for name, child := range n.root.Children() {
		if file, ok := child.Operations().(*fileNode); ok {
			files[name] = file
		}
	}
	for i, f := range faults {
		if file := files[f.File]; file != nil {
			faults[i].number = file.number
		}
	}
	n.root.mu.Lock()
	n.root.faults = faults
	n.root.mu.Unlock()
	for _, file := range files {
		_ = file.NotifyContent(0, 0) // the kernel drops its cached pages
	}
	return uint32(len(data)), 0
}
