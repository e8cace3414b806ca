package hub

import (
	"encoding/json"
	"strings"
)

// array is a batch as it goes over the wire.
func array(batch []json.RawMessage) string {
	var s []string
	for _, e := range batch {
		s = append(s, string(e))
	}
	return "[" + strings.Join(s, ",") + "]"
}
