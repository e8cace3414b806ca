package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Restore makes a hub of a backup. The folder dir is new or empty, or it is the folder of a hub
// without jetstream/, or of a hub whose cluster is empty: then its files stay as they are,
// because they are newer.
func Restore(ctx context.Context, from, dir string) (b Backup, err error) {
	if b, err = restore(ctx, from, dir); err != nil {
		return b, fmt.Errorf("cannot restore the backup %s to %s: %w", from, dir, err)
	}
	return b, nil
}

func restore(ctx context.Context, from, dir string) (Backup, error) {
	b, err := readBackup(from)
	if err != nil {
		return b, err
	}
	if err := checkEmpty(b, dir); err != nil {
		return b, err
	}
	_, err = os.Stat(filepath.Join(dir, settingsFile))
	isHub, settings := err == nil, dir
	if !isHub {
		settings = filepath.Join(from, backupFolder)
	}
	s, err := readSettings(settings)
	if err != nil {
		return b, err
	}
	fill := func() error {
		if isHub {
			return nil
		}
		return restoreFolder(b, from, dir)
	}
	if s.NATS.URL != "" {
		// The folder comes first: it has the keys with which the cluster can be reached.
		if err := fill(); err != nil {
			return b, err
		}
		return b, restoreCluster(ctx, b, from, dir)
	}
	return b, restoreEmbedded(ctx, b, from, dir, fill)
}

// restoreCluster restores the streams to a cluster, which must not have them.
func restoreCluster(ctx context.Context, b Backup, from, dir string) error {
	js, end, err := openStore(ctx, dir)
	if err != nil {
		return err
	}
	defer end()
	return restoreStreams(ctx, b, from, js)
}

// restoreEmbedded restores the streams to the JetStream in a hub's folder, which must not have
// one. JetStream comes before the rest of the folder, and gets its name last, so that a restore
// that failed can be repeated.
func restoreEmbedded(ctx context.Context, b Backup, from, dir string, fill func() error) error {
	name := filepath.Join(dir, jetstreamDir)
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.New("it has a folder " + jetstreamDir + " already: move that away first")
	}
	growing := name + unfinished
	if err := os.RemoveAll(growing); err != nil {
		return err
	}
	defer os.RemoveAll(growing)
	store, err := startEmbedded(growing, byCommand, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	js, err := openJetStream(store.conn, 1)
	if err == nil {
		err = restoreStreams(ctx, b, from, js)
	}
	store.close()
	if err == nil {
		err = fill()
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(growing, name), syncFolder(dir))
}

// checkEmpty returns an error if a folder is neither a hub's, nor empty, nor left by a restore
// that failed.
func checkEmpty(b Backup, dir string) error {
	known := map[string]bool{jetstreamDir + unfinished: true}
	for _, f := range b.Files {
		top, _, _ := strings.Cut(f.inFolder(), string(filepath.Separator))
		known[top] = true
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == settingsFile {
			return nil
		}
	}
	for _, e := range entries {
		if !known[e.Name()] {
			return fmt.Errorf("it is not empty: it has %s", e.Name())
		}
	}
	return nil
}

// restoreStreams restores the streams of a backup. If that fails it removes those that it has
// restored.
func restoreStreams(ctx context.Context, b Backup, from string, js jetstream.JetStream) error {
	for i, s := range b.Streams {
		f, err := os.Open(filepath.Join(from, s.Path))
		if err == nil {
			err = restoreSnapshot(ctx, js.Conn(), s.Name, s.streamSnapshot, f)
			f.Close()
		}
		if err != nil {
			for _, done := range b.Streams[:i] {
				err = errors.Join(err, js.DeleteStream(ctx, done.Name))
			}
			return fmt.Errorf("cannot restore the stream %s: %w", s.Name, err)
		}
	}
	return nil
}

// restoreFolder copies the files of a hub's folder from a backup. hub.toml comes last, because
// a folder with it counts as a hub.
func restoreFolder(b Backup, from, dir string) error {
	var settings *BackedFile
	for i, f := range b.Files {
		name := f.inFolder()
		if name == settingsFile {
			settings = &b.Files[i]
			continue
		}
		if err := f.copy(from, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if settings == nil {
		return errors.New("the backup has no " + settingsFile)
	}
	return settings.copy(from, filepath.Join(dir, settingsFile))
}

// inFolder returns the path of a file within the hub's folder.
func (f BackedFile) inFolder() string {
	return strings.TrimPrefix(f.Path, backupFolder+string(filepath.Separator))
}

// copy copies a file of a backup. It replaces what a restore that failed has left.
func (f BackedFile) copy(from, to string) error {
	in, err := os.Open(filepath.Join(from, f.Path))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = writeSynced(to, f.Mode, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
	return err
}
