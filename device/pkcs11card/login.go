//go:build pkcs11

package pkcs11card

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// The beginning of CK_FUNCTION_LIST (PKCS #11 §3.6), whose order is fixed.
struct functions {
	unsigned char version[2];
	void *before[18];
	unsigned long (*login)(unsigned long session, unsigned long user, unsigned char *pin, unsigned long len);
};

static struct functions *load(const char *path) {
	void *library = dlopen(path, RTLD_LAZY);
	if (library == NULL)
		return NULL;
	unsigned long (*get)(struct functions **) =
		(unsigned long (*)(struct functions **)) dlsym(library, "C_GetFunctionList");
	struct functions *f = NULL;
	if (get == NULL || get(&f) != 0)
		return NULL;
	return f;
}

static unsigned long login(struct functions *f, unsigned long session, unsigned long user, unsigned char *pin, unsigned long len) {
	return f->login(session, user, pin, len);
}
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// loginFunc is C_Login for the holder (§5.6). Without a PIN the module asks for
// it on the reader.
//
// miekg/pkcs11 accepts a PIN as a string and leaves a copy in freed memory. Here
// the module reads the PIN from the caller's buffer, and the caller wipes it.
type loginFunc func(session pkcs11.SessionHandle, pin []byte) error

func findLogin(path string) (loginFunc, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	functions := C.load(name)
	if functions == nil {
		if why := C.dlerror(); why != nil {
			return nil, errors.New(C.GoString(why))
		}
		return nil, errors.New("the module returns no function list")
	}
	return func(session pkcs11.SessionHandle, pin []byte) error {
		rv := C.login(functions, C.ulong(session), pkcs11.CKU_USER, (*C.uchar)(unsafe.SliceData(pin)), C.ulong(len(pin)))
		if rv != pkcs11.CKR_OK {
			return pkcs11.Error(rv)
		}
		return nil
	}, nil
}
