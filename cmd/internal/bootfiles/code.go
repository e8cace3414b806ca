package bootfiles

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"smartkiosk/kiosk/protocol/est"
)

// ErrNoCode says that code.txt has no code, for example because DeleteCode was interrupted.
var ErrNoCode = errors.New("cannot read the code: the file is empty")

// ParseCode reads code.txt: the first line that is neither empty nor a comment.
func ParseCode(text []byte) (est.Code, error) {
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return est.ParseCode(line)
		}
	}
	return est.Code{}, ErrNoCode
}

// ReadCode reads code.txt in a folder. It returns fs.ErrNotExist if the file is missing. The
// caller must wipe the secret.
func ReadCode(folder string) (est.Code, error) {
	text, err := read(folder, CodeFile)
	if err != nil {
		return est.Code{}, err
	}
	defer clear(text)
	return ParseCode(text)
}

// DeleteCode deletes code.txt in a folder, if there is one. It overwrites the file first,
// because a deleted file stays readable on the card.
func DeleteCode(folder string) error {
	path, err := find(folder, CodeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte("#"), int(min(info.Size(), maxFile)))) // a comment
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Files are the two files as they are written.
type Files struct {
	Settings []byte
	Code     est.Secret // the text of code.txt
}

// NewFiles returns the files for a kiosk.
func NewFiles(s Settings, code est.Code) (Files, error) {
	settings, err := s.Text()
	if err != nil {
		return Files{}, err
	}
	return Files{settings, est.Secret(code.Text() + "\n")}, nil
}

// ReadFiles reads and checks the files in a folder.
func ReadFiles(folder string) (Files, error) {
	var f Files
	var err error
	if f.Settings, err = read(folder, SettingsFile); err != nil {
		return Files{}, err
	}
	if _, err := ReadSettings(folder); err != nil {
		return Files{}, err
	}
	code, err := ReadCode(folder)
	if err != nil {
		return Files{}, err
	}
	code.Secret.Wipe()
	text, err := read(folder, CodeFile)
	f.Code = text
	return f, err
}

// Write writes the files into a folder. It replaces none that exist.
func (f Files) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, one := range f.List() {
		file, err := os.OpenFile(filepath.Join(folder, one.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(one.Text)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// NamedFile is one of the files.
type NamedFile struct {
	Name string
	Text []byte // of code.txt: a secret
}

// List returns both files.
func (f Files) List() []NamedFile {
	return []NamedFile{{SettingsFile, f.Settings}, {CodeFile, f.Code}}
}
