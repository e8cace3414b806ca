package board

import (
	"fmt"
	"os"
	"reflect"

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/device/tomlfile"
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
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
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
	if err := tomlfile.Decode([]byte(text), file.Addr().Interface()); err != nil {
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
