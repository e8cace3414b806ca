// Package recording records what login pages and a card say to each other, so that a
// card profile can be learned from an official login (smartkort.LearnFrom).
//
// The recorder is off until a technician switches it on, and switches itself off
// after Limit. It does not survive the program. A recording is an APDU script
// (package apdu/script) with the sessions of one kind of card.
//
// # Blanked data
//
// The recorder blanks secrets when a command arrives, before it keeps any part of it:
//
//   - The data of VERIFY becomes 00. The last byte stays FF if it was FF, and the first
//     byte becomes 30 if the PIN was in ASCII digits. They show how the card pads and
//     encodes a PIN. The length of the field stays; the number of digits is not visible
//     if the PIN was padded with FF or 00.
//   - The data of CHANGE REFERENCE DATA and RESET RETRY COUNTER becomes 00.
//   - In the data of PERFORM SECURITY OPERATION and INTERNAL AUTHENTICATE the header of a
//     DigestInfo and the padding 00 01 FF … 00 of PKCS #1 stay. All else, the hash of the
//     challenge, becomes 00.
//   - In MANAGE SECURITY ENVIRONMENT the references (tags 80, 81, 83, 84, 95) stay. The
//     values of other tags become 00.
//   - The data of any command that is not listed here or below becomes 00.
//   - The data of every response becomes 00, except responses to the commands below.
//     Signatures and random numbers of the card are among the blanked data.
//
// The commands SELECT, READ BINARY, READ RECORD, GET DATA and their GET RESPONSE stay.
//
// # Replaced data
//
// Responses to these commands are replaced when the session ends, before they are
// written. The parts that READ BINARY gives are put together to files first. In
// BER-TLV, tags and lengths stay. Values of one byte and OBJECT IDENTIFIERs stay, and:
//
//   - INTEGER stays up to 2 bytes; in a certificate only 65537 stays. Others, such as
//     moduli and serial numbers, become 55 55 … or 00 D5 55 ….
//   - BIT STRING stays up to 2 bytes of bits (flags, key usage). A public EC point
//     becomes the base point of its curve. Others become 55 55 ….
//   - OCTET STRING stays up to 2 bytes, and if it is a path: it starts with 3F00 or 5015,
//     or a SELECT of the session names it. Others become a pseudonym of the same
//     length: equal ones stay equal within a recording. The key of the pseudonyms is
//     forgotten.
//   - Text becomes X. Times become 2000-01-01.
//   - Primitive values of other tags stay up to 2 bytes, and if they are a path or an
//     AID (tags 4F and 84). Others become X.
//
// A BIT STRING or OCTET STRING that contains TLV is treated in the same way. What is
// not well-formed TLV becomes 55 55 …, whole, and so does a value whose end was not
// read. Status words, the lengths of all responses and the answer to reset stay. The
// names of sessions, pages and readers are not recorded.
package recording
