// Package pkcs11card speaks to identity cards through a PKCS #11 module of
// their vendor, where device/smartkort does not know them. It is built with
// the tag pkcs11 only:
//
//	go build -tags pkcs11 ./cmd/kioskd
//
// because a module is a foreign library inside our process: what it does to
// the card, and with the PIN, is its vendor's promise and not ours. Of ours
// are these: C_Login is called once for each PIN that a holder typed and never
// again, whatever it answers; a PIN is given to the module where it lies and
// copied nowhere; no call follows one that failed but those that let go of the
// card; each visit ends with C_Logout, C_CloseAllSessions and C_Finalize.
//
// A module tells less than a card. How many tries a PIN has left is known only
// when there is one (CKF_USER_PIN_FINAL_TRY) or none (CKF_USER_PIN_LOCKED). A
// call cannot be abandoned: contexts are looked at before each, and a module
// that hangs is a matter for the time-outs of the visit. Keys that want their
// PIN for every signature (CKA_ALWAYS_AUTHENTICATE) are refused.
//
// Errors that callers tell apart are those of device/smartkort, so that either
// way to a card reads the same.
//
// Source: OASIS PKCS #11 Cryptographic Token Interface Base Specification
// v2.40; section numbers are of that, CKM_… of its Current Mechanisms v2.40.
package pkcs11card
