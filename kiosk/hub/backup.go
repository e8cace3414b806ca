package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A backup is a folder:
//
//	manifest.json     what the backup holds, with the SHA-256 of each file
//	streams/          a snapshot of each stream and bucket of JetStream
//	folder/           the hub's folder without jetstream/, crls/ and updates/; it holds private keys
//
// Three buckets are left out, because to bring back their past would be a hole: a challenge that
// was spent since could be spent again, a one-time code could be used again, and a login by phone
// that has ended would be open.
const (
	manifestFile  = "manifest.json"
	backupStreams = "streams"
	backupFolder  = "folder"

	backupVersion = 1

	unfinished = ".unfinished" // suffix of a folder that is being written
)

var notInBackup = []string{"KV_" + challengesBucket, "KV_" + codesBucket, "KV_" + loginsBucket}

// Backup describes a backup.
type Backup struct {
	Version int            `json:"version"`
	Made    time.Time      `json:"made"`
	Streams []BackedStream `json:"streams"`
	Files   []BackedFile   `json:"files"` // of the hub's folder
}

// BackedStream is a stream or a bucket in a backup.
type BackedStream struct {
	Name string `json:"name"`
	BackedFile
	Messages uint64 `json:"messages"`
	Last     uint64 `json:"last"` // place of the last message
	streamSnapshot
}

// BackedFile is a file in a backup.
type BackedFile struct {
	Path   string      `json:"path"` // within the backup
	Mode   fs.FileMode `json:"mode,omitempty"`
	Size   int64       `json:"size"`
	SHA256 string      `json:"sha256"`
}

// MakeBackup writes a backup of the hub in a folder, which may be running, to a folder that must
// not exist. It reads the backup again before it returns.
func MakeBackup(ctx context.Context, dir, to string) (b Backup, err error) {
	if b, err = makeBackup(ctx, dir, to); err != nil {
		return b, fmt.Errorf("cannot back up the hub in %s to %s: %w", dir, to, err)
	}
	return b, nil
}

func makeBackup(ctx context.Context, dir, to string) (Backup, error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return Backup{}, cmp.Or(err, errors.New("it exists"))
	}
	if within, err := filepath.Rel(dir, to); err == nil && filepath.IsLocal(within) {
		return Backup{}, errors.New("it is in the hub's folder")
	}
	js, end, err := openStore(ctx, dir)
	if err != nil {
		return Backup{}, err
	}
	defer end()
	// Until the backup is complete it has another name. This also removes what an earlier
	// attempt left.
	growing := filepath.Clean(to) + unfinished
	if err := os.RemoveAll(growing); err != nil {
		return Backup{}, err
	}
	defer os.RemoveAll(growing)
	b, err := writeBackup(ctx, js, dir, growing)
	if err != nil {
		return b, err
	}
	if _, err := readBackup(growing); err != nil {
		return b, err
	}
	if err := os.Rename(growing, to); err != nil {
		return b, err
	}
	return b, syncFolder(filepath.Dir(to))
}

func writeBackup(ctx context.Context, js jetstream.JetStream, dir, to string) (Backup, error) {
	b := Backup{Version: backupVersion, Made: time.Now().UTC().Truncate(time.Second)}
	if err := os.MkdirAll(filepath.Join(to, backupStreams), 0o700); err != nil {
		return b, err
	}
	names, err := backupOrder(ctx, js)
	if err != nil {
		return b, err
	}
	for _, name := range names {
		s, err := backUpStream(ctx, js.Conn(), to, name)
		if err != nil {
			return b, fmt.Errorf("cannot read the stream %s: %w", name, err)
		}
		b.Streams = append(b.Streams, s)
	}
	if b.Files, err = backUpFolder(dir, to); err != nil {
		return b, err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return b, err
	}
	if _, err := writeSynced(filepath.Join(to, manifestFile), 0o600, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}); err != nil {
		return b, err
	}
	return b, errors.Join(syncFolder(filepath.Join(to, backupStreams)), syncFolder(to))
}

// backupOrder lists the streams in the order in which they are backed up: the cursors come
// before the events, because a cursor must not be beyond the end of the stream. The archive comes
// after the events, because retention moves messages from the stream to the archive.
func backupOrder(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	var names []string
	all := js.StreamNames(ctx)
	for name := range all.Name() {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "KV_"), "OBJ_"), "smartkiosk-") && !slices.Contains(notInBackup, name) {
			names = append(names, name)
		}
	}
	first := []string{archiveStream, eventsStream, "KV_" + cursorsBucket} // the last of them comes first
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(slices.Index(first, b)-slices.Index(first, a), cmp.Compare(a, b))
	})
	return names, all.Err()
}

func backUpStream(ctx context.Context, conn *nats.Conn, to, name string) (s BackedStream, err error) {
	s.Name = name
	path := filepath.Join(backupStreams, name+".snapshot")
	s.BackedFile, err = writeSynced(filepath.Join(to, path), 0o600, func(w io.Writer) (err error) {
		s.streamSnapshot, err = takeSnapshot(ctx, conn, name, w)
		return err
	})
	if err != nil {
		return s, err
	}
	s.Path = path
	state, err := s.state()
	s.Messages, s.Last = state.Messages, state.LastSeq
	return s, err
}

// backUpFolder copies the files of a hub's folder.
func backUpFolder(dir, to string) (files []BackedFile, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		node, _ := filepath.Match(filepath.Join(clusterDir, "*", "data"), name) // what a node that runs here stores
		switch {
		case d.IsDir() && (node || name == jetstreamDir || name == crlsDir || name == updatesDir):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, backupFolder, name), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			return err
		}
		copied := filepath.Join(backupFolder, name)
		f, err := writeSynced(filepath.Join(to, copied), info.Mode().Perm(), func(w io.Writer) error {
			_, err := io.Copy(w, in)
			return err
		})
		f.Path = copied
		files = append(files, f)
		return err
	})
	return files, err
}

// writeSynced writes a new file and syncs it.
func writeSynced(path string, mode fs.FileMode, write func(io.Writer) error) (BackedFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return BackedFile{}, err
	}
	sum := sha256.New()
	err = write(io.MultiWriter(f, sum))
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Sync(), f.Close()); err != nil {
		return BackedFile{}, err
	}
	return BackedFile{Mode: mode, Size: info.Size(), SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readBackup reads a backup's manifest and compares every file with its digest.
func readBackup(from string) (b Backup, err error) {
	text, err := os.ReadFile(filepath.Join(from, manifestFile))
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("cannot read %s: %w", manifestFile, err)
	}
	if b.Version != backupVersion {
		return b, fmt.Errorf("the backup has version %d, and this program reads version %d", b.Version, backupVersion)
	}
	if len(b.Streams) == 0 {
		return b, errors.New("the backup holds no stream")
	}
	for _, f := range b.Files {
		if !filepath.IsLocal(f.inFolder()) {
			return b, fmt.Errorf("the backup names the file %q outside of the hub's folder", f.Path)
		}
	}
	files := slices.Clone(b.Files)
	for _, s := range b.Streams {
		files = append(files, s.BackedFile)
	}
	for _, f := range files {
		if err := f.check(from); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (f BackedFile) check(from string) error {
	if !filepath.IsLocal(f.Path) {
		return fmt.Errorf("the backup names the file %q outside of it", f.Path)
	}
	file, err := os.Open(filepath.Join(from, f.Path))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%s is damaged: its SHA-256 is not that of %s", f.Path, manifestFile)
	}
	return nil
}
