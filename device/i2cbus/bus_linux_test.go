package i2cbus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

func TestOpenWhatIsNoBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i2c-1")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "cannot use "+path) {
		t.Errorf("%v", err)
	}
}

// TestHeaders compares requests and structs with Linux's own headers.
func TestHeaders(t *testing.T) {
	source := filepath.Join(t.TempDir(), "i2c.c")
	const text = `#include <stdio.h>
#include <stddef.h>
#include <linux/i2c.h>
#include <linux/i2c-dev.h>
int main(void) {
	printf("%d %d %d %lu %zu %zu %zu", I2C_FUNCS, I2C_RDWR, I2C_M_RD, (unsigned long)I2C_FUNC_I2C,
		sizeof(struct i2c_msg), offsetof(struct i2c_msg, buf), sizeof(struct i2c_rdwr_ioctl_data));
}`
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := strings.TrimSuffix(source, ".c")
	if out, err := exec.Command("cc", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var m message
	ours := fmt.Sprint(i2cFuncs, i2cRDWR, i2cRead, plainI2C, unsafe.Sizeof(m), unsafe.Offsetof(m.data), unsafe.Sizeof(transfer{}))
	if string(out) != ours {
		t.Errorf("requests and sizes are %s, the headers' %s", ours, out)
	}
}
