// Package tpmkey signs with a P-256 key that cannot leave a TPM 2.0. An attacker
// who steals the disk, or reads all its files, gets a key file but no key.
//
// The file is the PEM "TSS2 PRIVATE KEY" of the specification "ASN.1 Specification
// for TPM 2.0 Key Files" (J. Bottomley, D. Woodhouse), as OpenSSL's TPM providers
// and engines read and write it. The TPM encrypts the private part under its
// primary key, which it derives from the seed of its owner hierarchy by the
// TCG's template for P-256 storage keys. Nothing is stored in the TPM. Every
// program that may use the machine's TPM can use the key: a kiosk has no
// operator who could type a password. Clearing the TPM's owner makes the file
// worthless.
//
// Seal and Unseal do the same for a short secret that a program needs in its memory.
//
// Use the device of the kernel's resource manager, /dev/tpmrm0. It separates the
// objects of several programs and unloads them when the programs end.
//
// References: TCG TPM 2.0 Library, parts 1 to 3; TCG EK Credential Profile
// §B.4 and TCG TPM v2.0 Provisioning Guidance §7.5.1 for the template.
package tpmkey
