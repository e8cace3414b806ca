package hub

import "smartkiosk/kiosk/protocol/event/scan"

// members returns the values of these members of a JSON object, as slices of text. A
// member that is missing is nil. If text is not an object, all are nil.
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
