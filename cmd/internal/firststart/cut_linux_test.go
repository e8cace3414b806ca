package firststart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestPowerCut cuts the power after each change of a file during the first start: after
// each creation, write, rename and deletion nothing reaches the SD card any more. The next
// start must go on with the same code and end with an enrolled kiosk.
func TestPowerCut(t *testing.T) {
	changes := 0
	first := newStage(t)
	for left := int64(0); ; left++ {
		if left%8 == 7 {
			first = newStage(t) // a hub limits how often clients without a certificate may call
		}
		s := newCardStage(first)
		s.settings("language = 'en'\n")
		s.write("code.txt", s.code(fmt.Sprintf("lobby-%d", left)))
		s.mount()
		s.left.Store(left)
		s.sleeps = 19 // a failure ends the start
		err := s.start.Run(t.Context())
		cut := s.left.Load() < 0
		s.unmount()
		if !cut {
			if err != nil {
				t.Fatal(err)
			}
			changes = int(left)
			break
		}

		s.mount()
		s.left.Store(1 << 30)
		s.shown, s.sleeps = nil, 0
		if err := s.start.Run(t.Context()); err != nil {
			t.Fatalf("cut after %d changes: the next start shows %q and ends: %v", left, s.shown, err)
		}
		s.unmount()
		if s.exists(filepath.Join(s.card, "boot/code.txt")) {
			t.Errorf("cut after %d changes: the code is still there", left)
		}
		for _, name := range []string{"kioskd.toml", "kiosk.toml", "kiosk.key", "kiosk.pem", "hub-ca.pem", "hub-seal.jwk", "hub-sign.jwk", "trust/trust.toml"} {
			if info, err := os.Stat(filepath.Join(s.card, "etc", name)); err != nil || info.Size() == 0 {
				t.Errorf("cut after %d changes: %s: %v", left, name, err)
			}
		}
	}
	if changes < 20 {
		t.Errorf("the first start makes only %d changes", changes)
	}
	t.Logf("%d cuts", changes)
}

// cardStage is a stage whose files lie on a card that loses power.
type cardStage struct {
	*stage
	card, at string // the files, and where the kiosk sees them
	left     atomic.Int64
	server   *fuse.Server
}

// newCardStage returns a stage with another card, and the hub of s.
func newCardStage(of *stage) *cardStage {
	s := &cardStage{stage: of}
	dir := of.t.TempDir()
	s.card, s.at = filepath.Join(dir, "card"), filepath.Join(dir, "at")
	for _, folder := range []string{filepath.Join(s.card, "boot"), filepath.Join(s.card, "etc"), s.at} {
		s.check(os.MkdirAll(folder, 0o700))
	}
	s.boot = filepath.Join(s.card, "boot")
	s.start.Boot, s.start.Dir = filepath.Join(s.at, "boot"), filepath.Join(s.at, "etc")
	return s
}

func (s *cardStage) mount() {
	s.t.Helper()
	root, err := s.root()
	s.check(err)
	s.server, err = fs.Mount(s.at, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "card"}})
	s.check(err)
	s.t.Cleanup(func() { _ = s.server.Unmount() }) // for a test that fails while it is mounted
}

func (s *cardStage) unmount() {
	s.t.Helper()
	s.check(s.server.Unmount())
	s.server.Wait()
}

// root returns a file system that passes changes on to the card until the power is cut.
func (s *cardStage) root() (fs.InodeEmbedder, error) {
	var info syscall.Stat_t
	if err := syscall.Stat(s.card, &info); err != nil {
		return nil, err
	}
	r := &fs.LoopbackRoot{Path: s.card, Dev: uint64(info.Dev)}
	root := &cardNode{&fs.LoopbackNode{RootData: r}, s}
	r.RootNode = root
	return root, nil
}

// change returns EIO after the cut.
func (s *cardStage) change() syscall.Errno {
	if s.left.Add(-1) < 0 {
		return syscall.EIO
	}
	return 0
}

type cardNode struct {
	*fs.LoopbackNode
	card *cardStage
}

// WrapChild is called for each file and folder.
func (n *cardNode) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &cardNode{child.(*fs.LoopbackNode), n.card}
}

func (n *cardNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.card.change(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *cardNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.card.change(); e != 0 {
		return nil, nil, 0, e
	}
	inode, h, f, e := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, &cardFile{h, n.card}, f, e
}

func (n *cardNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, f, e := n.LoopbackNode.Open(ctx, flags)
	return &cardFile{h, n.card}, f, e
}

func (n *cardNode) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if e := n.card.change(); e != 0 {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

func (n *cardNode) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.card.change(); e != 0 {
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// cardFile is an open file on the card.
type cardFile struct {
	fs.FileHandle
	card *cardStage
}

func (f *cardFile) Read(ctx context.Context, p []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	return f.FileHandle.(fs.FileReader).Read(ctx, p, at)
}

func (f *cardFile) Write(ctx context.Context, p []byte, at int64) (uint32, syscall.Errno) {
	if e := f.card.change(); e != 0 {
		return 0, e
	}
	return f.FileHandle.(fs.FileWriter).Write(ctx, p, at)
}

func (f *cardFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	return f.FileHandle.(fs.FileFsyncer).Fsync(ctx, flags)
}

func (f *cardFile) Release(ctx context.Context) syscall.Errno {
	return f.FileHandle.(fs.FileReleaser).Release(ctx)
}
