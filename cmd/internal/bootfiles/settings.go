// Package bootfiles reads and writes the two files on the boot partition of a kiosk's SD
// card that tell a kiosk at its first start who it is: kiosk.toml, its settings, and
// code.txt, the one-time code with which it enrols. A laptop of any kind can write them,
// because the partition is FAT.
package bootfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/device/tomlfile"
)

// Names of the files on the boot partition.
const (
	SettingsFile = "kiosk.toml"
	CodeFile     = "code.txt"
)

// maxFile bounds each of the files in bytes.
const maxFile = 16 << 10

// Settings is the content of kiosk.toml. An empty value leaves what kioskd.toml says.
type Settings struct {
	Hub      string `toml:"hub"`                                           // https://host[:port], where the kiosk enrols; kioskd.toml has the URL that the hub calls its own
	Language string `toml:"language,omitempty" comment:"nb, nn, se or en"` // in which the panel starts
	Board    string `toml:"board,omitempty"`                               // a wiring file: one of the boards that come with kioskd, or a file next to kiosk.toml
	Reader   string `toml:"reader,omitempty"`                              // a part of the card reader's name
}

// ParseSettings reads kiosk.toml. The error names the line or the key.
func ParseSettings(text []byte) (Settings, error) {
	var s Settings
	// Editors of Windows begin a file with a byte order mark.
	if err := tomlfile.Decode([]byte(strings.TrimPrefix(string(text), "\ufeff")), &s); err != nil {
		return Settings{}, err
	}
	return s, s.check()
}

func (s Settings) check() error {
	if s.Hub == "" {
		return errors.New("hub is missing")
	}
	u, err := url.Parse(s.Hub)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || s.Hub != "https://"+u.Host {
		return fmt.Errorf("hub %q is not https://host[:port]", s.Hub)
	}
	if strings.ContainsAny(s.Board, `/\`) || s.Board == "." || s.Board == ".." {
		return fmt.Errorf("board %q is not the name of a file", s.Board)
	}
	switch s.Language {
	case "", "nb", "nn", "se", "en":
	default:
		return fmt.Errorf("language %q is not nb, nn, se or en", s.Language)
	}
	return nil
}

// Text returns the settings as kiosk.toml.
func (s Settings) Text() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", SettingsFile, err)
	}
	text, err := toml.Marshal(s)
	return append([]byte("# The kiosk reads this file when it starts.\n"), text...), err
}

// ReadSettings reads kiosk.toml in a folder. It returns fs.ErrNotExist if the file is missing.
func ReadSettings(folder string) (Settings, error) {
	text, err := read(folder, SettingsFile)
	if err != nil {
		return Settings{}, err
	}
	s, err := ParseSettings(text)
	if err != nil {
		return Settings{}, fmt.Errorf("%s: %w", SettingsFile, err)
	}
	return s, nil
}

func read(folder, name string) ([]byte, error) {
	path, err := find(folder, name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a small file", name)
	}
	return os.ReadFile(path)
}

// find returns the path of a file, whose name may be in upper case.
func find(folder, name string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return filepath.Join(folder, e.Name()), nil
		}
	}
	return "", &fs.PathError{Op: "open", Path: filepath.Join(folder, name), Err: fs.ErrNotExist}
}
