package keypad

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dirWatch reports when files of a folder appear, disappear or change their owner
// (inotify(7)). The folder itself may appear and disappear: /dev/input exists
// only while there is an input device.
type dirWatch struct {
	dir     string
	fd      int
	file    *os.File
	changed chan struct{} // holds one notification; closed when watching has ended
}

func watchDir(dir string) (*dirWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	w := &dirWatch{dir: dir, fd: fd, file: os.NewFile(uintptr(fd), "inotify"), changed: make(chan struct{}, 1)}
	if err := w.arm(); err != nil {
		w.file.Close()
		return nil, err
	}
	go w.read()
	return w, nil
}

// arm watches the folder, which may have been created since the last call, and
// its parent. Calling it again changes nothing. The caller must list the folder
// after arm, to find files that appeared before it.
func (w *dirWatch) arm() error {
	parent := filepath.Dir(w.dir)
	if _, err := unix.InotifyAddWatch(w.fd, parent, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("cannot watch %s: %w", parent, err)
	}
	// IN_ATTRIB: udev sets a device's group after it has made the device.
	const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(w.fd, w.dir, changes); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot watch %s: %w", w.dir, err)
	}
	return nil
}

func (w *dirWatch) read() {
	defer close(w.changed)
	buf := make([]byte, 4096) // the content of the notifications is not used
	for {
		if _, err := w.file.Read(buf); err != nil {
			return
		}
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

func (w *dirWatch) close() {
	w.file.Close()
	for range w.changed {
	}
}
