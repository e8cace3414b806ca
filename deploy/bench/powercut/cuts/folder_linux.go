package cuts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// marksName is the name of the file that accepts marks. Each write to it is the
// text of a mark.
const marksName = "marks"

// Record mounts a file system on a folder, runs a writer in it and returns the
// log. The writer must be another process, because this process serves the pages
// that the writer maps.
func Record(folder string, writer func() error) (*Log, error) {
	root := &rootNode{log: &Log{}}
	minute := time.Minute // the kernel may cache, because only it changes the files
	server, err := fs.Mount(folder, root, &fs.Options{
		EntryTimeout: &minute,
		AttrTimeout:  &minute,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "powercut", DisableXAttrs: true},
		UID:          uint32(os.Geteuid()),
		GID:          uint32(os.Getegid()),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot mount %s: %w", folder, err)
	}
	if err := errors.Join(writer(), server.Unmount()); err != nil {
		return nil, err
	}
	server.Wait()
	return root.log, root.err
}

// MarkFile lets the writer put marks in the log of a folder under recording.
type MarkFile struct{ file *os.File }

// OpenMarks opens the folder's file of marks.
func OpenMarks(folder string) (MarkFile, error) {
	f, err := os.Create(folder + "/" + marksName)
	return MarkFile{f}, err
}

// Mark puts a mark in the log.
func (f MarkFile) Mark(m Mark) error {
	_, err := f.file.WriteString(m.String())
	return err
}

// rootNode is the folder, flat and in memory.
type rootNode struct {
	fs.Inode
	mu  sync.Mutex // guards all below, and all files
	log *Log
	err error // the error of an invalid mark

	files  int // the number of files created so far
	faults []Fault
}

var (
	_ fs.NodeCreater  = (*rootNode)(nil)
	_ fs.NodeLinker   = (*rootNode)(nil)
	_ fs.NodeUnlinker = (*rootNode)(nil)
	_ fs.NodeRenamer  = (*rootNode)(nil)
	_ fs.NodeFsyncer  = (*rootNode)(nil)
	_ fs.NodeStatfser = (*rootNode)(nil)
)

// Statfs implements fs.NodeStatfser. It reports free space.
func (r *rootNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	*out = fuse.StatfsOut{Bsize: 4096, Blocks: 1 << 18, Bfree: 1 << 18, Bavail: 1 << 18}
	return 0
}

// Create implements fs.NodeCreater.
func (r *rootNode) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name == marksName {
		node := r.NewInode(ctx, &marksNode{root: r}, fs.StableAttr{Mode: syscall.S_IFREG})
		return node, nil, fuse.FOPEN_DIRECT_IO, 0
	}
	if name == faultsName {
		node := r.NewInode(ctx, &faultsNode{root: r}, fs.StableAttr{Mode: syscall.S_IFREG})
		return node, nil, fuse.FOPEN_DIRECT_IO, 0
	}
	if errno := r.refuses(Change, 0, 0, 0); errno != 0 {
		return nil, nil, 0, errno
	}
	r.files++
	r.log.add(operation{Kind: link, File: r.files, Name: name})
	node := &fileNode{root: r, number: r.files}
	node.attributes(&out.Attr)
	return r.NewInode(ctx, node, fs.StableAttr{Mode: syscall.S_IFREG}), nil, 0, 0
}

// Link implements fs.NodeLinker.
func (r *rootNode) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, ok := target.(*fileNode)
	if !ok {
		return nil, syscall.EINVAL
	}
	if errno := r.refuses(Change, 0, 0, 0); errno != 0 {
		return nil, errno
	}
	r.log.add(operation{Kind: link, File: file.number, Name: name})
	file.attributes(&out.Attr)
	return file.EmbeddedInode(), 0
}

// Unlink implements fs.NodeUnlinker.
func (r *rootNode) Unlink(_ context.Context, name string) syscall.Errno {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errno := r.refuses(Change, 0, 0, 0); errno != 0 {
		return errno
	}
	r.log.add(operation{Kind: unlink, Name: name})
	return 0
}

// Rename implements fs.NodeRenamer.
func (r *rootNode) Rename(_ context.Context, name string, _ fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if flags != 0 {
		return syscall.EINVAL // RENAME_EXCHANGE is not supported
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if errno := r.refuses(Change, 0, 0, 0); errno != 0 {
		return errno
	}
	r.log.add(operation{Kind: rename, Name: name, NewName: newName})
	return 0
}

// Fsync implements fs.NodeFsyncer: of the folder.
func (r *rootNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errno := r.refuses(Sync, 0, 0, 0); errno != 0 {
		return errno
	}
	r.log.add(operation{Kind: syncFolder})
	return 0
}

// marksNode is the file that accepts marks.
type marksNode struct {
	fs.Inode
	root *rootNode
}

// Write implements fs.NodeWriter.
func (n *marksNode) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	m, err := ParseMark(string(data))
	n.root.mu.Lock()
	defer n.root.mu.Unlock()
	if err != nil {
		n.root.err = err
		return 0, syscall.EINVAL
	}
	n.root.log.add(operation{Mark: &m})
	return uint32(len(data)), 0
}

// fileNode is a file with all writes applied.
type fileNode struct {
	fs.Inode
	root   *rootNode
	number int
	data   []byte
}

var (
	_ fs.NodeOpener    = (*fileNode)(nil)
	_ fs.NodeReader    = (*fileNode)(nil)
	_ fs.NodeWriter    = (*fileNode)(nil)
	_ fs.NodeGetattrer = (*fileNode)(nil)
	_ fs.NodeSetattrer = (*fileNode)(nil)
	_ fs.NodeFsyncer   = (*fileNode)(nil)
	_ fs.NodeWriter    = (*marksNode)(nil)
)

// Open implements fs.NodeOpener.
func (f *fileNode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		if errno := f.root.refuses(Change, 0, 0, 0); errno != 0 {
			return nil, 0, errno
		}
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Read implements fs.NodeReader.
func (f *fileNode) Read(_ context.Context, _ fs.FileHandle, dest []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	if errno := f.root.refuses(Read, f.number, at, int64(len(dest))); errno != 0 {
		return nil, errno
	}
	from := min(at, int64(len(f.data)))
	return fuse.ReadResultData(dest[:copy(dest, f.data[from:])]), 0
}

// Write implements fs.NodeWriter.
func (f *fileNode) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	if errno := f.root.refuses(Write, f.number, at, int64(len(data))); errno != 0 {
		return 0, errno
	}
	op := operation{Kind: write, File: f.number, At: at, Data: append([]byte(nil), data...)}
	f.data = op.apply(f.data)
	f.root.log.add(op)
	return uint32(len(data)), 0
}

// Getattr implements fs.NodeGetattrer.
func (f *fileNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	f.attributes(&out.Attr)
	return 0
}

// attributes sets the attributes that matter. The kernel gives no new name to a
// file with zero links, so each file has one link.
func (f *fileNode) attributes(out *fuse.Attr) {
	out.Size, out.Nlink = uint64(len(f.data)), 1
}

// Setattr implements fs.NodeSetattrer for the size. It ignores other attributes.
func (f *fileNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		if errno := f.root.refuses(Write, f.number, int64(size), 1); errno != 0 {
			return errno
		}
		op := operation{Kind: truncate, File: f.number, At: int64(size)}
		f.data = op.apply(f.data)
		f.root.log.add(op)
	}
	f.attributes(&out.Attr)
	return 0
}

// Fsync implements fs.NodeFsyncer.
func (f *fileNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.root.mu.Lock()
	defer f.root.mu.Unlock()
	if errno := f.root.refuses(Sync, f.number, 0, 0); errno != 0 {
		f.root.log.add(operation{Kind: failSync, File: f.number})
		f.data = f.root.log.safe(f.number)
		return errno
	}
	f.root.log.add(operation{Kind: syncFile, File: f.number})
	return 0
}
