// Package broker logs a person in through an identity broker: it is a client of OpenID
// Connect (OpenID Connect Core 1.0) for the authorization code flow with PKCE (RFC 7636),
// state and nonce.
//
// Begin makes the address to which the person's browser goes, and a Flow that the caller
// stores. The broker sends the browser back to the redirect URL with a callback. Finish
// exchanges the callback's code, checks everything that the broker says, and returns the
// Person. A Flow may be finished once: the caller sees to that.
//
// What a broker offers is used: pushed authorization requests (RFC 9126), signed request
// objects (RFC 9101), client authentication with a key (private_key_jwt, RFC 7523), the
// issuer in the callback (RFC 9207), and ID tokens and UserInfo that are signed and
// encrypted. Every answer of a broker is limited in size and time.
//
// Signicat's REST API is a second way for the same flow, see rest.go.
//
// Brokers differ in the names of parameters, scopes and claims. The presets in
// presets.toml hold these names; nothing of them is in the code.
//
// The package never asks for a national identity number. A configuration that asks for one
// is refused, and such a claim is never read from an answer.
package broker
