package keypad

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dirWatch tells when files of a folder come, go or change their owner, by
// inotify(7). The folder itself may come and go: /dev/input is there while any
// input device is.
type dirWatch struct {
	dir     string
	fd      int
	file    *os.File
	changed chan struct{} // holds one; closed when watching has ended
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

// arm watches the folder, which may have been made since, and the one that it
// is in. Arming what is armed changes nothing. What came before arm is found by
// looking after it.
func (w *dirWatch) arm() error {
	parent := filepath.Dir(w.dir)
	if _, err := unix.InotifyAddWatch(w.fd, parent, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("cannot watch %s: %w", parent, err)
	}
	// IN_ATTRIB: udev gives a device its group after it has made it.
	const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(w.fd, w.dir, changes); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot watch %s: %w", w.dir, err)
	}
	return nil
}

func (w *dirWatch) read() {
	defer close(w.changed)
	buf := make([]byte, 4096) // what happened does not matter, only that something did
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
