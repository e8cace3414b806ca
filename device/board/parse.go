package board

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Load reads and checks a board file. Its errors name the file, the line or the
// section and key, and say what to do. Load touches no hardware.
func Load(path string) (*Board, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read board: %w", err)
	}
	b, err := Parse(string(data))
	if err != nil {
		return nil, fmt.Errorf("cannot use board %s: %w", path, err)
	}
	return b, nil
}

// Parse checks the text of a board file; see Load.
func Parse(text string) (*Board, error) {
	b, err := decode(text)
	if err != nil {
		return nil, explain(err)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// explain adds the position to a TOML error.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		unknown := strict.Errors[0]
		row, _ := unknown.Position()
		return fmt.Errorf("line %d: unknown key %q: correct or remove it", row, strings.Join(unknown.Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %w", row, column, err)
	}
	return err
}

// fileType is the type of a board file: Board, with a field of fields for the
// registered displays in place of Displays.
var fileType = func() reflect.Type {
	var sections []reflect.StructField
	for i, driver := range displayDrivers {
		sections = append(sections, reflect.StructField{
			Name: fmt.Sprint("Display", i), Type: reflect.TypeOf(driver.new()), Tag: reflect.StructTag(fmt.Sprintf("toml:%q", driver.section)),
		})
	}
	fields := reflect.VisibleFields(reflect.TypeFor[Board]())
	for i, field := range fields {
		fields[i] = reflect.StructField{Name: field.Name, Type: field.Type, Tag: field.Tag}
		if field.Name == "Displays" {
			fields[i].Type, fields[i].Tag = reflect.StructOf(sections), `toml:"display"`
		}
	}
	return reflect.StructOf(fields)
}()

// decode reads the sections of a board file.
func decode(text string) (*Board, error) {
	file := reflect.New(fileType).Elem()
	sections := file.FieldByName("Displays")
	for i, driver := range displayDrivers {
		sections.Field(i).Set(reflect.ValueOf(driver.new()))
	}
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(file.Addr().Interface()); err != nil {
		return nil, err
	}
	var there struct {
		Display map[string]any `toml:"display"`
	}
	if err := toml.Unmarshal([]byte(text), &there); err != nil {
		return nil, err
	}
	b := &Board{}
	board := reflect.ValueOf(b).Elem()
	for i := range board.NumField() {
		if field := board.Type().Field(i); field.Name != "Displays" {
			board.Field(i).Set(file.Field(i))
		}
	}
	for i, driver := range displayDrivers {
		if _, ok := there.Display[driver.section]; ok {
			b.Displays = append(b.Displays, sections.Field(i).Interface().(Display))
		}
	}
	return b, nil
}
