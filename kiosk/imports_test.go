package kiosk_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importRules lists for each tree of folders the packages that it must not import,
// as paths in the module. Tests may import anything. A package belongs to the
// longest listed folder that contains it.
var importRules = map[string][]string{ // tree → folders that it must not import from
	"device":         {"kiosk", "store", "cmd", "deploy"},
	"store":          {"kiosk", "device", "cmd", "deploy"},
	"kiosk/protocol": append(slices.Clone(kioskSide), "kiosk/hub", "device", "store", "cmd", "deploy"),
	"kiosk/hub":      append(slices.Clone(kioskSide), "device", "store", "cmd", "deploy"),
	"kiosk":          {"kiosk/hub", "device", "cmd", "deploy"}, // may import store for the outbox's types
}

// shared lists the packages that every tree may import. They import no other package of
// this project.
var shared = []string{"device/tomlfile", "device/atomicfile"}

// kioskSide lists the packages that only a kiosk runs.
var kioskSide = []string{
	"kiosk/clock", "kiosk/feed", "kiosk/journal", "kiosk/offline", "kiosk/policy",
	"kiosk/push", "kiosk/screen", "kiosk/terminal", "kiosk/update",
}

// Every folder under kiosk must belong to a tree.
func TestEveryTreeIsNamed(t *testing.T) {
	named := append(slices.Clone(kioskSide), "kiosk/protocol", "kiosk/hub")
	for _, p := range listPackages(t, "") {
		path := strings.TrimPrefix(p.ImportPath, "smartkiosk/")
		if below(path, "kiosk") && path != "kiosk" && !belowAny(path, named) {
			t.Errorf("%s is in no tree: add it to kioskSide, or move it under kiosk/protocol or kiosk/hub", path)
		}
	}
}

// cgoModules lists the modules that need a C compiler, each with the only packages
// that may import it. All other packages build without a C compiler: only the
// packages listed here may import "C".
var cgoModules = map[string][]string{
	"github.com/ebfe/scard":   {"device/reader"},
	"github.com/miekg/pkcs11": {"device/pkcs11card"},
	"C":                       {"device/reader", "device/pkcs11card"},
}

// tags are the sets of build tags under which the rules hold.
var tags = []string{"", "pkcs11"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func belowAny(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return below(path, root) })
}

func listPackages(t *testing.T, tags string) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-tags", tags, "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportRules(t *testing.T) {
	for _, tag := range tags {
		t.Run("tags "+tag, func(t *testing.T) { checkImports(t, tag) })
	}
}

func checkImports(t *testing.T, tag string) {
	const module = "smartkiosk/"
	tops := []string{"cmd", "device", "kiosk", "store", "deploy"}
	for _, p := range listPackages(t, tag) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if !belowAny(path, tops) {
			t.Errorf("%s: packages live under %v", path, tops)
		}
		for _, imported := range p.Imports {
			if only, ok := cgoModules[imported]; ok && (!slices.Contains(only, path) || path == "device/pkcs11card" && tag != "pkcs11") {
				t.Errorf("%s imports %s; only %v may, device/pkcs11card under its tag", path, imported, only)
			}
			inner, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if slices.Contains(shared, path) {
				t.Errorf("%s imports %s; all import it, so it must import nothing of this project", path, inner)
			}
			// The root package declares the interfaces that it needs; its
			// subpackages import the root package.
			if path == "kiosk" {
				t.Errorf("kiosk imports %s", inner)
			}
			if tree := treeOf(path); belowAny(inner, importRules[tree]) && !slices.Contains(shared, inner) {
				t.Errorf("%s imports %s, which %s must not", path, inner, tree)
			}
		}
	}
}

// treeOf returns the longest folder with import rules that holds a package.
func treeOf(path string) (tree string) {
	for of := range importRules {
		if below(path, of) && len(of) > len(tree) {
			tree = of
		}
	}
	return tree
}
