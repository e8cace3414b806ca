// Sbom prints a software bill of materials (CycloneDX 1.5, JSON) of an image: Debian's
// packages, from a list on standard input, and the Go modules of our programs.
//
//	sbom PROGRAM... <kiosk.packages.txt
//
// A line of the list has package, version, architecture, source package and its version.
package main

import (
	"bufio"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"sort"
	"strings"
)

// component is a component of CycloneDX 1.5 (§ components).
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"` // https://github.com/package-url/purl-spec
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(programs []string, list io.Reader, out io.Writer) error {
	all, err := debian(list)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, path := range programs {
		modules, err := goModules(path)
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
		for _, m := range modules {
			if !seen[m.PURL] {
				seen[m.PURL] = true
				all = append(all, m)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].PURL < all[j].PURL })
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": all})
}

func debian(list io.Reader) (all []component, err error) {
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 5 {
			return nil, fmt.Errorf("cannot read the list: %q has not five fields", lines.Text())
		}
		purl := fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=trixie", f[0], url.QueryEscape(f[1]), f[2])
		all = append(all, component{"library", f[0], f[1], purl})
	}
	if len(all) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("cannot read the list: it is empty")
	}
	return all, lines.Err()
}

func goModules(path string) (all []component, err error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	standard := component{"library", "std", strings.TrimPrefix(info.GoVersion, "go"), "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}
	all = append(all, standard)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, component{"library", m.Path, m.Version, "pkg:golang/" + m.Path + "@" + m.Version})
	}
	return all, nil
}
