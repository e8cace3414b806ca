# Start with "make demo" and "make test".

SHELL := /bin/bash
.DELETE_ON_ERROR:

# Debian packages and why they are needed.
BUILD := gcc="compiles the PC/SC binding" \
	libc6-dev="compiles the PC/SC binding" \
	libpcsclite-dev="the PC/SC interface to card readers" \
	pkg-config="finds the PC/SC interface"
TEST := pcscd="the PC/SC service, a real one" \
	vsmartcard-vpcd="a reader in software for pcscd" \
	opensc="judges our software card and our driver" \
	opensc-pkcs11="a PKCS 11 module for real cards" \
	softhsm2="a PKCS 11 token in software" \
	curl="enrols as a foreign EST client" \
	openssl="judges our signatures and certificates" \
	qpdf="judges PDF documents that we sign" \
	poppler-utils="pdfsig: judges signatures in PDF documents" \
	swtpm="a TPM in software" \
	tpm2-openssl="judges our use of a TPM" \
	dosfstools="makes and checks boot partitions" \
	mtools="reads boot partitions" \
	espeak-ng="the speech engine of kiosks that speak" \
	chromium="the browser that drives the panel" \
	zbar-tools="reads QR codes" \
	systemd="judges our units" \
	e2fsprogs="makes a disk that turns read-only" \
	mount="mounts it" \
	util-linux="namespaces, so that tests have a pcscd of their own" \
	iproute2="the loopback device inside them" \
	rauc="installs bundles in a test" \
	squashfs-tools="makes bundles" \
	dbus-daemon="the bus between kioskd and RAUC" \
	ca-certificates="lets Go fetch modules" \
	prometheus="judges the alert rules (promtool)" \
	curl="runs an example for consumers" \
	python3-cryptography="runs an example for consumers" \
	nodejs="runs an example for consumers, and an OpenID provider" \
	$(if $(shell command -v npm),,npm="installs the OpenID provider that judges our client")

# The packages' architectures; "make packages ARCH=arm64" builds for one.
ARCH := amd64 arm64 armhf
CROSS-amd64 := gcc-x86-64-linux-gnu="compiles for amd64" libc6-dev-amd64-cross="compiles for amd64"
CROSS-arm64 := gcc-aarch64-linux-gnu="compiles for arm64" libc6-dev-arm64-cross="compiles for arm64"
CROSS-armhf := gcc-arm-linux-gnueabihf="compiles for armhf" libc6-dev-armhf-cross="compiles for armhf"
PACKAGES := $(foreach a,$(filter-out $(shell dpkg --print-architecture),$(ARCH)),$(CROSS-$a)) \
	binutils="finds the version of libc that a program needs" \
	xz-utils="compresses packages"
PACKAGES_TEST := lintian="judges packages" \
	mmdebstrap="makes fresh Debian systems" \
	systemd-container="boots them"

# What makes images, and what tries them.
IMAGE := mmdebstrap="makes the root" \
	qemu-user-static="configures packages for arm64" \
	binfmt-support="configures packages for arm64" \
	arch-test="configures packages for arm64" \
	dosfstools="makes the boot partition" \
	mtools="fills the boot partition" \
	fdisk="makes the partitions" \
	u-boot-tools="makes the boot script" \
	zstd="compresses the image"
IMAGE_TEST := qemu-system-arm="a machine for arm64" \
	u-boot-qemu="its boot loader" \
	rauc="makes bundles" \
	squashfs-tools="makes bundles" \
	openssl="makes keys that sign bundles" \
	e2fsprogs="breaks a root" \
	iproute2="the loopback device of the test's own network" \
	chromium="takes pictures of the panel"

PROGRAMS := kioskd kioskctl kioskhub kioskdemo smartkortsim
NEED := @sh deploy/need.sh

.PHONY: demo test build man packages packages-test image bundle image-test wall-card abuse bench bench-hw fuzz powercut network longrun wear vet vuln need-build need-test clean

demo: build
	@bin/kioskdemo $(DEMO)

# The build date is SOURCE_DATE_EPOCH if that is set, so that builds can be reproduced.
BUILT = $(shell date -u -d "@$${SOURCE_DATE_EPOCH:-$$(date +%s)}" +%F)
build: need-build
	@go build -ldflags "-X smartkiosk/cmd/internal/cli.built=$(BUILT)" -o bin/ $(PROGRAMS:%=./cmd/%)

# Builds the Debian packages, into bin/packages (see deploy/packages).
packages: need-build
	$(NEED) $(PACKAGES)
	@rm -rf bin/packages
	@set -e; for arch in $(ARCH); do sh deploy/packages/build.sh $$arch bin/packages; done

# Builds the packages, and installs, starts, upgrades, downgrades, removes and purges them
# in Debian 12 and 13.
packages-test: packages
	$(NEED) $(PACKAGES_TEST)
	@lintian --allow-root --fail-on error bin/packages/*.deb
	@sh deploy/packages/reproducible.sh bin/packages
	@sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && $$sudo sh deploy/packages/test.sh bin/packages

# Builds the image for SD cards, into bin/image (see deploy/image).
image: need-build
	$(NEED) $(IMAGE)
	@$(MAKE) --no-print-directory packages ARCH=arm64
	@sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && $$sudo sh deploy/image/build.sh bin/packages bin/image

# Makes a bundle of the built image, which updates kiosks. SIGNER is the folder with
# signer.pem and signer.key; VERSION is by default that of the packages.
bundle: image
	$(NEED) rauc="makes bundles" squashfs-tools="makes bundles"
	@sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && keys=$(or $(SIGNER),$$($$sudo sh deploy/image/keys.sh)) && \
		$$sudo sh deploy/image/bundle.sh bin/image/root.ext4 "$(or $(VERSION),$$(cat bin/image/version))" "$$keys/signer.pem" "$$keys/signer.key" bin/image/kiosk.raucb

# Builds the image twice, and boots it in QEMU: first start, a visit, updates (see
# deploy/image). The report with pictures is bin/image-test/report.md.
image-test: build image
	$(NEED) $(IMAGE_TEST)
	@sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && $$sudo sh deploy/image/reproducible.sh bin/image
	@go build -o bin/ ./deploy/image/trial
	@sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && keys=$$($$sudo sh deploy/image/keys.sh) && $$sudo unshare --net sh -c \
		"ip link set lo up && exec bin/trial -image bin/image -scripts deploy/image -programs bin -keys '$$keys' -report bin/image-test"

# Prints the card that hangs next to a kiosk, as bin/wall-card.pdf.
wall-card:
	$(NEED) chromium="prints the card"
	@sh deploy/wallcard.sh bin/wall-card.pdf

# Writes the manual pages to deploy/man. A test fails when they are out of date.
man: need-build
	@go test $(PROGRAMS:%=./cmd/%) -run TestManPages -update-man

test: need-test vet
	@go test -race -timeout 14m ./...
	@go test -race -tags pkcs11 -timeout 5m ./device/pkcs11card ./cmd/internal/daemon
	@go test -race -tags pkcs11 -timeout 5m -run PKCS11 ./cmd/kioskhub
	@if { sh deploy/bench/modules.sh cached && sh deploy/bench/root.sh cached; } >/dev/null 2>&1; then $(MAKE) --no-print-directory bench-hw; \
		else echo "not played: the scenarios in simulated hardware, whose parts are not built (make bench-hw)"; fi

LOGKEYS = $(shell awk '/^[a-z]/ { printf "%s%s", comma, $$1; comma = "," }' deploy/logkeys.txt)
vet: need-build
	@test -z "$$(gofmt -l cmd device kiosk store deploy)" || { gofmt -d cmd device kiosk store deploy; exit 1; }
	@go vet ./...
	@go vet -tags pkcs11 ./device/pkcs11card ./cmd/...
	@go vet -tags sidebyside,uinput,vhci ./store/sidebyside ./device/keypad ./device/cardsim/usbreader
	@go tool sloglint -test=false -kv-only -static-msg -msg-style lowercased -key-naming-case snake -allowed-keys $(LOGKEYS) ./...
	@go tool staticcheck ./...
	@go tool staticcheck -tags pkcs11 ./device/pkcs11card ./cmd/internal/daemon ./cmd/kioskhub
	@go tool staticcheck -tags sidebyside,uinput,vhci ./store/sidebyside ./device/keypad ./device/cardsim/usbreader

# Lists known vulnerabilities in the code that the programs call. Needs the Internet.
vuln: need-build
	@sh deploy/vuln.sh

# What compiles kioskd for a Raspberry Pi on another machine.
CROSS = $(if $(filter arm64,$(shell dpkg --print-architecture)),,\
	gcc-aarch64-linux-gnu="compiles the PC/SC binding for a Raspberry Pi" \
	libc6-dev-arm64-cross="compiles the PC/SC binding for a Raspberry Pi" \
	libpcsclite-dev:arm64="the PC/SC interface of a Raspberry Pi")

# Runs all benchmarks together, because only the figures of one run can be compared.
# The results are also written to bench.json.
BENCHMARKS := Visit|Certificate$$|PCSC|Verdict|Start|AppendBacklog|SideBySide|Queued|Drain|Validation|OCSP|CRL$$|KeyToDisplay|FullRefresh|Idle|Capacity|Fleet
bench: need-test
	$(NEED) $(CROSS)
	@set -o pipefail; go test -tags sidebyside -run '^$$' -bench '^Benchmark($(BENCHMARKS))' -timeout 30m \
		./device/smartkort ./cmd/kioskctl ./store ./store/sidebyside ./cmd/kioskd ./kiosk/push ./kiosk/protocol/webeid ./kiosk/protocol/trust ./device/display \
		./cmd/internal/frontpanel ./kiosk/hub | go run ./deploy/benchtable

# Runs every fuzz target for TIME each.
fuzz: need-test
	@sh deploy/fuzz.sh $(or $(TIME),1m)

# Cuts the power N times while a program writes to the outbox (see deploy/bench).
# SEED repeats a run. REPLAY, SEED and CUT repeat one cut of a recording.
KERNEL := linux-source-6.1="the kernel of the benches" \
	bc="builds the kernel" \
	bison="builds the kernel" \
	flex="builds the kernel" \
	patch="patches the kernel" \
	xz-utils="unpacks the kernel"
POWERCUT := $(KERNEL) \
	e2fsprogs="makes the disk"
N := 1000
powercut: need-build
	$(NEED) $(POWERCUT)
	@CGO_ENABLED=0 go build -o bin/powercut ./deploy/bench/powercut
	@kernel=$$(sh deploy/bench/kernel.sh) && sudo=$$(test "$$(id -u)" -eq 0 || echo sudo) && \
		$$sudo bin/powercut -kernel "$$kernel" -cuts $(N) $(SEED:%=-seed %) $(REPLAY:%=-replay %) $(CUT:%=-cut %)

# Runs the release build of a kiosk through scenarios from its use, in a machine with
# simulated hardware and virtual time (see deploy/bench). "make test" does so too, once
# the machine is built. ONLY names one build, SEED selects other random numbers, and
# REALTIME=1 measures processor time in real time instead.
MACHINE := $(KERNEL) \
	mmdebstrap="makes the machine's root of packages"
bench-hw: build
	$(NEED) $(MACHINE)
	@CGO_ENABLED=0 go build -o bin/ ./deploy/bench/machine
	@kernel=$$(sh deploy/bench/kernel.sh) && modules=$$(sh deploy/bench/modules.sh) && root=$$(sh deploy/bench/root.sh) && \
		bin/machine -kernel "$$kernel" -modules "$$modules" -root "$$root" -report bin/bench-hw $(ONLY:%=-only %) $(SEED:%=-seed %) $(if $(REALTIME),-realtime)

# Sends N events through connections that are cut, stalled, repeated and reordered.
network: need-build
	@go test ./kiosk/push -run Network -network.events $(N) -timeout 2h

# Takes random steps with a real outbox, pusher and hub for a long time: restored copies,
# replaced disks, new keys, a second machine, a damaged outbox. "make test" runs a short form.
WALKS := 500
longrun: need-build
	@go test ./kiosk/push -run TestWalk -walk.rounds $(WALKS) -timeout 6h

# Runs a kiosk and its hub for DAYS days with VISITS visits each, as fast as they go: hub
# restarts, full disks, a new key, restored copies, clocks that jump, power cuts. It prints
# what is written a day. "make test" runs a short form.
DAYS := 90
VISITS := 400
wear: need-build
	@go test ./kiosk/push -run TestWear -v -wear.days $(DAYS) -wear.visits $(VISITS) -timeout 3h

# Attacks a hub with one hostile kiosk and one hostile consumer, and adds the figures to
# bench.json. "make test" runs a short form.
abuse: need-build
	@set -o pipefail; go test ./kiosk/hub -run TestAbuse$$ -abuse -v -timeout 10m | go run ./deploy/benchtable -abuse

need-build:
	$(NEED) $(BUILD)

need-test: need-build
	$(NEED) $(TEST)

clean:
	@rm -rf bin bench.json
