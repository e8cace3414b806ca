#!/bin/sh
# Prints the folder of keys that sign bundles for trying images out. It makes them once:
# ca.pem is for the image's keyring, signer.pem and signer.key sign. Whoever has the folder
# can install software on kiosks with that keyring, so kiosks in use need other keys.
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/smartkiosk/image/keys
if [ ! -d "$folder" ]; then
	mkdir -p "${folder%/*}"
	work=$(mktemp -d "${folder%/*}/keys-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	cd "$work"
	printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >ca.ext
	printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nauthorityKeyIdentifier=keyid\n' >signer.ext
	for name in ca signer; do
		openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout $name.key -subj "/O=Smartkiosk/CN=trial $name" -out $name.csr 2>/dev/null
	done
	openssl x509 -req -in ca.csr -signkey ca.key -days 7300 -extfile ca.ext -out ca.pem 2>/dev/null
	openssl x509 -req -in signer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile signer.ext -out signer.pem 2>/dev/null
	rm -f ca.key ./*.csr ./*.ext ./*.srl
	mv "$work" "$folder"
fi
echo "$folder"
