// Package displaysim plays displays: controllers and modules as seen from
// their pins, their I²C address or their serial line. What a driver sent is
// read back as text, and drawn as a picture of what a person would see.
//
// They stand in for hardware in tests and benches. They are written from the
// same data sheets as the drivers (which are named there), by the same reading
// of them, and refuse what they do not know; a real part may differ.
package displaysim
