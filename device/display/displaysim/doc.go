// Package displaysim simulates displays: controllers and modules, as seen from
// their pins, their I²C address or their serial line. A test reads what a driver
// sent as text, or draws it as the picture that a person would see.
//
// Tests and benches use the simulations in place of hardware. They follow the
// same data sheets as the drivers, whose packages name them, and they report
// every command that they do not know as a fault. A real part may still differ.
package displaysim
