package sealkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"smartkiosk/device/atomicfile"
)

// ReadPrivate reads private keys from a hub's file: a JWK Set (RFC 7517 §5) or one JWK. It
// refuses a file that has no key, or the same key twice.
func ReadPrivate(path string) ([]Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read sealing keys: %w", err)
	}
	keys, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read sealing keys %s: %w", path, err)
	}
	return keys, nil
}

func parsePrivate(text []byte) ([]Key, error) {
	var members struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, errors.New("it is not a JSON object")
	}
	texts := members.Keys
	if texts == nil {
		texts = []json.RawMessage{text}
	}
	if len(texts) == 0 {
		return nil, errors.New("it holds no key")
	}
	var keys []Key
	seen := map[string]bool{}
	for i, t := range texts {
		var k Key
		switch err := json.Unmarshal(t, &k); {
		case err != nil:
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		case k.IsPublic():
			return nil, fmt.Errorf("key %d is not a private key", i+1)
		case seen[k.KeyID]:
			return nil, fmt.Errorf("key %d occurs twice", i+1)
		}
		seen[k.KeyID] = true
		keys = append(keys, k)
	}
	return keys, nil
}

// ReadPublic reads one public key, a JWK.
func ReadPublic(path string) (Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read sealing key: %w", err)
	}
	var k Key
	if err := json.Unmarshal(text, &k); err != nil {
		return Key{}, fmt.Errorf("cannot read sealing key %s: %w", path, err)
	}
	if !k.IsPublic() {
		return Key{}, fmt.Errorf("cannot read sealing key %s: it is not a public key", path)
	}
	return k, nil
}

// WritePublic writes the public half of a key as a JWK. Everybody may read the file.
func WritePublic(path string, k Key) error { return replace(path, k.Public(), 0o644) }

// replace writes a value as JSON to path, atomically. It returns when the file is on disk.
func replace(path string, value any, mode fs.FileMode) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		err = atomicfile.Replace(path, append(text, '\n'), mode)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// lock prevents other processes from changing files in the folder of path.
func lock(path string) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return func() { _ = folder.Close() }, nil
}
