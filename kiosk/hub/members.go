package hub

import "smartkiosk/kiosk/protocol/event/scan"

// members gives the values of these members of a JSON object, nil for one that is
// not there, which are part of its text. What is not an object has none.
func members(text []byte, names ...string) [][]byte {
	values := make([][]byte, len(names))
	_ = scan.Object(text, func(name string, value []byte) error {
		for i, n := range names {
			if name == n {
				values[i] = value
			}
		}
		return nil
	})
	return values
}
