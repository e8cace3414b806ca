package apihttp

import (
	"encoding/json"
	"net/http"
	"strconv"

	"smartkiosk/kiosk/protocol/hubapi"
)

// Problem makes a problem (RFC 9457). An operation returns it as its error.
func Problem(status int, kind hubapi.Kind, title, detail string) *hubapi.Problem {
	return &hubapi.Problem{Type: kind, Title: title, Status: status, Detail: detail}
}

// Malformed is the problem for a body or a parameter that does not match the API.
func Malformed(detail string) *hubapi.Problem {
	return Problem(http.StatusBadRequest, hubapi.KindMalformed, "malformed request", detail)
}

// Forbidden is the problem for an operation that this client may not call.
func Forbidden(detail string) *hubapi.Problem {
	return Problem(http.StatusForbidden, hubapi.KindForbidden, "forbidden", detail)
}

// TooLarge is the problem for a body that exceeds the limit.
func TooLarge(detail string) *hubapi.Problem {
	return Problem(http.StatusRequestEntityTooLarge, hubapi.KindTooLarge, "too large", detail)
}

// Internal is the problem for a failure of the server that the client cannot fix.
func Internal() *hubapi.Problem {
	return Problem(http.StatusInternalServerError, hubapi.KindInternal, "internal error", "")
}

func mediaType(detail string) *hubapi.Problem {
	return Problem(http.StatusUnsupportedMediaType, hubapi.KindMedia, "wrong media type", detail)
}

// WriteProblem answers with a problem. If p.Wait is set, it becomes Retry-After.
func WriteProblem(w http.ResponseWriter, p *hubapi.Problem) {
	if p.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.Wait.Seconds())))
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of strings and numbers always encodes
	}
	Write(w, p.Status, hubapi.MediaProblem, body)
}
