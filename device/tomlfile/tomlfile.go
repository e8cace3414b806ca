// Package tomlfile reads TOML files strictly, and says where a mistake is in the
// words of the person who wrote the file. It imports nothing of this project, so
// that device and kiosk can share it.
package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Decode reads a TOML text into a struct. A key that the struct does not have is
// an error. The error names the line of the first mistake.
func Decode(text []byte, into any) error {
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(into)
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		unknown := strict.Errors[0]
		line, _ := unknown.Position()
		return fmt.Errorf("line %d: unknown key %q: correct or remove it", line, strings.Join(unknown.Key(), "."))
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	return err
}
