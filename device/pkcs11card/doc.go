// Package pkcs11card uses identity cards that device/smartkort does not support,
// through their vendor's PKCS #11 module. It is built only with the tag pkcs11:
//
//	go build -tags pkcs11 ./cmd/kioskd
//
// because a module is a foreign library inside our process. Its vendor is
// responsible for what it does with the card and the PIN. This package
// guarantees that it
//
//   - calls C_Login once for each PIN that a holder typed, whatever it returns,
//   - passes the PIN to the module without copying it,
//   - after a failed call only makes the calls that release the card, and
//   - ends each visit with C_Logout, C_CloseAllSessions and C_Finalize.
//
// A module reports less than a card. The tries of a PIN are known only when one
// is left (CKF_USER_PIN_FINAL_TRY) or none (CKF_USER_PIN_LOCKED). A call cannot
// be cancelled: contexts are checked before each call, and the visit's timeouts
// handle a module that hangs. Keys that need their PIN for every signature
// (CKA_ALWAYS_AUTHENTICATE) are refused.
//
// The package returns the typed errors of device/smartkort, so that callers
// handle both kinds of card in the same way.
//
// Source: OASIS PKCS #11 Cryptographic Token Interface Base Specification
// v2.40; section numbers are of that, CKM_… of its Current Mechanisms v2.40.
package pkcs11card
