package apdu

// T0 returns a short command APDU in the form of transmission protocol T=0.
// There a command either sends data or requests data. If a command does both,
// T0 removes Le, and the card announces the response data with 61xx (ISO 7816-3
// §12.2.1, case 4S). All other commands are unchanged. The result aliases
// command.
func T0(command []byte) []byte {
	if len(command) > 5 && command[4] != 0 && len(command) == 4+1+int(command[4])+1 {
		return command[:len(command)-1]
	}
	return command
}
