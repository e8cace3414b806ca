package scproxy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"smartkiosk/device/apdu"
)

// Limits of one request.
const (
	maxCommands = 64
	maxName     = 256 // bytes of a session's name
)

// errBody is the error for a request that does not have the protocol's form.
var errBody = errors.New("malformed request")

// hexBytes are bytes in hexadecimal in JSON. They are decoded without a string,
// because a string cannot be wiped.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' {
		return errors.New("not a string")
	}
	decoded := make([]byte, hex.DecodedLen(len(b)-2))
	if _, err := hex.Decode(decoded, b[1:len(b)-1]); err != nil {
		clear(decoded)
		return errors.New("not hexadecimal") // the error of package hex quotes a byte
	}
	*h = decoded
	return nil
}

// transmitRequest is the body of /scard/apdu/. Other keys are ignored, among them
// timeout, which some pages send as a string.
type transmitRequest struct {
	Session  string `json:"session"`
	Commands []struct {
		APDU hexBytes `json:"apdu"`
	} `json:"apducommands"`
}

func parseTransmit(body []byte) (r transmitRequest, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("%w: %v", errBody, syntax(err))
	}
	if r.Session == "" || len(r.Session) > maxName || len(r.Commands) > maxCommands {
		return r, fmt.Errorf("%w: session of %d bytes, %d commands", errBody, len(r.Session), len(r.Commands))
	}
	return r, nil
}

func (r transmitRequest) wipe() {
	for _, c := range r.Commands {
		clear(c.APDU)
	}
}

type disconnectRequest struct {
	Session string `json:"session"`
}

func parseDisconnect(body []byte) (r disconnectRequest, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("%w: %v", errBody, syntax(err))
	}
	return r, nil
}

// syntax describes an error of package json without quoting the body.
func syntax(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("not JSON from byte %d", e.Offset)
	}
	return "a value has the wrong type"
}

// commands decodes all commands of a request, with PINs in the clear. It returns
// an error if a page may not send one of them. The caller wipes their data, also
// after an error.
func (r *refs) commands(request transmitRequest) (commands []apdu.Command, err error) {
	for _, c := range request.Commands {
		command, err := r.command(c.APDU)
		if err != nil {
			return commands, err
		}
		commands = append(commands, command)
	}
	return commands, nil
}

func (r *refs) command(b []byte) (apdu.Command, error) {
	if !bytes.HasPrefix(b, packetMark) {
		c, err := apdu.Parse(b)
		if err == nil {
			err = permit(c, false)
		}
		return c, err
	}
	p, err := parsePacket(b)
	if err == nil {
		err = permit(p.command(), true)
	}
	if err != nil {
		return apdu.Command{}, err
	}
	inClear, err := r.unscramble(p)
	if err != nil {
		return apdu.Command{}, err
	}
	return apdu.Parse(inClear)
}
