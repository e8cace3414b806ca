// Package brokertest is a stand-in for an identity broker: a small OpenID provider for
// tests and for the demo. Everybody can log in with it as any of its invented persons. It
// proves nothing about a real broker.
//
// With Card its page asks for the card in the reader of the browser's machine, and verifies
// its PIN. Which person that is, the page does not read from the card.
//
// It checks the hub as a strict broker would: client authentication, PKCE, the redirect
// URL, pushed requests, request objects, and that each code and assertion is used once. Its
// hooks spoil its answers, so that a test can see what the hub makes of them.
package brokertest
