// Package tpmkey signs with a P-256 key that cannot leave a TPM 2.0. Who takes
// the disk, or reads every file on it, has a key file, and no key.
//
// The file is the PEM "TSS2 PRIVATE KEY" of the specification "ASN.1 Specification
// for TPM 2.0 Key Files" (J. Bottomley, D. Woodhouse), as OpenSSL's TPM providers
// and engines read and write it: the private part is encrypted by the TPM for
// itself, under the primary key that it derives from the seed of its owner
// hierarchy by the TCG's template for P-256 storage keys. Nothing is stored in
// the TPM. Whoever may use the TPM of that machine can use the key, as nobody is
// there to type a password; clearing the TPM's owner makes the file worthless.
//
// Use the device of the kernel's resource manager, /dev/tpmrm0: it keeps what
// several programs load apart, and takes it out again when they end.
//
// References: TCG TPM 2.0 Library, parts 1 to 3; TCG EK Credential Profile
// §B.4 and TCG TPM v2.0 Provisioning Guidance §7.5.1 for the template.
package tpmkey
