package board

// Held returns the holder of a line, or "" if the line is free. It does not take
// the line. The answer dates from the first search for lines in this process. It
// returns an error if the line is missing or may not be read.
func Held(name string) (by string, err error) {
	found, err := lines(name)
	if err != nil {
		return "", err
	}
	if held, ok := found[0].(interface{ Consumer() string }); ok {
		return held.Consumer(), nil
	}
	return "", nil
}
