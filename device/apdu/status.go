package apdu

import "fmt"

// Status is the two status bytes SW1-SW2 of a response (ISO 7816-4 §5.6).
type Status uint16

// The status words that a card driver acts on.
const (
	OK                     Status = 0x9000
	EndOfFile              Status = 0x6282 // fewer bytes than requested
	Deactivated            Status = 0x6283 // selected file deactivated
	WrongLength            Status = 0x6700
	ChainingUnsupported    Status = 0x6884
	SecureMessagingMissing Status = 0x6987 // the card requires secure messaging
	SecureMessagingWrong   Status = 0x6988
	SecurityStatus         Status = 0x6982 // PIN not verified
	AuthBlocked            Status = 0x6983 // no tries left
	ReferenceNotUsable     Status = 0x6984
	ConditionsNotSatisfied Status = 0x6985
	CommandNotAllowed      Status = 0x6986
	WrongData              Status = 0x6A80
	FunctionUnsupported    Status = 0x6A81
	FileNotFound           Status = 0x6A82
	RecordNotFound         Status = 0x6A83
	WrongP1P2              Status = 0x6A86
	ReferenceNotFound      Status = 0x6A88
	WrongOffset            Status = 0x6B00
	INSUnsupported         Status = 0x6D00
	CLAUnsupported         Status = 0x6E00
	Unknown                Status = 0x6F00
)

var statusTexts = map[Status]string{
	OK:                     "ok",
	EndOfFile:              "end of file reached",
	Deactivated:            "file deactivated",
	WrongLength:            "wrong length",
	ChainingUnsupported:    "command chaining not supported",
	SecureMessagingMissing: "secure messaging expected",
	SecureMessagingWrong:   "secure messaging objects incorrect",
	SecurityStatus:         "security status not satisfied",
	AuthBlocked:            "authentication method blocked",
	ReferenceNotUsable:     "reference data not usable",
	ConditionsNotSatisfied: "conditions of use not satisfied",
	CommandNotAllowed:      "command not allowed",
	WrongData:              "wrong data",
	FunctionUnsupported:    "function not supported",
	FileNotFound:           "file or application not found",
	RecordNotFound:         "record not found",
	WrongP1P2:              "wrong P1 or P2",
	ReferenceNotFound:      "referenced data not found",
	WrongOffset:            "offset outside the file",
	INSUnsupported:         "instruction not supported",
	CLAUnsupported:         "class not supported",
	Unknown:                "no precise diagnosis",
}

// Tries returns x of 63Cx, the tries left of a PIN; ok is false for any other
// status (ISO 7816-4 §5.6.3).
func (s Status) Tries() (tries int, ok bool) {
	return int(s & 0x0F), s&0xFFF0 == 0x63C0
}

// More returns the number of bytes that GET RESPONSE can fetch after 61xx, 256
// for 6100; ok is false for any other status (ISO 7816-4 §5.6.4).
func (s Status) More() (n int, ok bool) { return shortLe(byte(s)), s>>8 == 0x61 }

// RightLe returns the Le that the card requests with 6Cxx, 256 for 6C00; ok is
// false for any other status (ISO 7816-4 §5.6.4).
func (s Status) RightLe() (n int, ok bool) { return shortLe(byte(s)), s>>8 == 0x6C }

// Error implements error, so that a status other than OK can be an error.
func (s Status) Error() string { return s.String() }

func (s Status) String() string {
	if t, ok := statusTexts[s]; ok {
		return fmt.Sprintf("SW %04X (%s)", uint16(s), t)
	}
	if n, ok := s.Tries(); ok {
		return fmt.Sprintf("SW %04X (verification failed, %d tries left)", uint16(s), n)
	}
	return fmt.Sprintf("SW %04X", uint16(s))
}
