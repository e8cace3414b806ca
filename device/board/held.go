package board

// Held tells who has a line, "" if nobody has. It takes nothing. What it says
// is from when lines were first looked for in this process. Errors: those of a
// line that is not there, or may not be looked at.
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
