package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../../"

// documents lists the files whose commands and links are checked.
var documents = []string{"README.md", "cmd/README.md", ".github/CONTRIBUTING.md", "deploy/packages/README.md", "deploy/FIELD.md"}

var (
	consoleLine = regexp.MustCompile(`(?m)^ *\$ (.*)$`)
	codeSpan    = regexp.MustCompile("`([^`\n]+)`")
	link        = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	testFlag    = regexp.MustCompile(`-run (\w+)`)
	section     = regexp.MustCompile(`(?m)^\.S[HS] (.*)$`)
	flagLine    = regexp.MustCompile(`(?m)^\.B --([a-z-]+)`)
)

// manual returns the commands in a program's manual page, each with its flags, for
// example "kioskctl card pin change". It returns nil if there is no such program.
func manual(t *testing.T, program string) map[string]map[string]bool {
	text, err := os.ReadFile(filepath.Join(root, "deploy/man", program+".1"))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	commands := map[string]map[string]bool{}
	starts := section.FindAllStringSubmatchIndex(page, -1)
	for i, s := range starts {
		name, end := page[s[2]:s[3]], len(page)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		if name == "DESCRIPTION" {
			name = program
		}
		if !strings.HasPrefix(name, program) {
			continue
		}
		flags := map[string]bool{"help": true}
		for _, f := range flagLine.FindAllStringSubmatch(page[s[1]:end], -1) {
			flags[f[1]] = true
		}
		commands[strings.Join(commandWords(strings.Fields(name)), " ")] = flags
	}
	return commands
}

// commandWords returns the words before the first flag, argument or other
// placeholder.
func commandWords(words []string) []string {
	for i, w := range words {
		if !regexp.MustCompile(`^[a-z]+$`).MatchString(w) {
			return words[:i]
		}
	}
	return words
}

func TestDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile(root + "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		text, err := os.ReadFile(root + document)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		lines := consoleLine.FindAllStringSubmatch(string(text), -1)
		for _, line := range append(lines, codeSpan.FindAllStringSubmatch(string(text), -1)...) {
			command, _, _ := strings.Cut(line[1], " #")
			words := strings.Fields(strings.TrimPrefix(strings.TrimRight(command, "& "), "sudo "))
			program := strings.TrimPrefix(words[0], "bin/")
			commands := manual(t, program)
			switch {
			case program == "make" && len(words) > 1:
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).Match(makefile) {
					t.Errorf("%s: %q: the Makefile has no target %s", document, command, words[1])
				}
			case program == "go" && len(words) > 2:
				for _, w := range words[2:] {
					if folder := strings.TrimSuffix(w, "/..."); strings.HasPrefix(w, "./") {
						if _, err := os.Stat(root + folder); err != nil {
							t.Errorf("%s: %q: %v", document, command, err)
						} else if m := testFlag.FindStringSubmatch(command); m != nil && !hasTest(t, root+folder, m[1]) {
							t.Errorf("%s: %q: there is no test %s", document, command, m[1])
						}
					}
				}
			case commands != nil && len(words) > 1:
				checkCommand(t, document, program, words[1:], commands)
			default:
				continue
			}
			checked++
		}
		if checked < 3 {
			t.Errorf("%s has only %d commands", document, checked)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
}

// checkCommand checks that a command and its flags exist.
func checkCommand(t *testing.T, document, program string, words []string, commands map[string]map[string]bool) {
	path := append([]string{program}, commandWords(words)...)
	group := strings.Join(path, " ")
	for len(path) > 1 && commands[strings.Join(path, " ")] == nil {
		path = path[:len(path)-1]
	}
	name := strings.Join(path, " ")
	flags, isGroup := commands[name], false
	for c := range commands {
		isGroup = isGroup || strings.HasPrefix(c, group+" ")
	}
	if len(path) == 1 && len(commandWords(words)) > 0 && !isGroup {
		t.Errorf("%s: %s has no command %q", document, program, strings.Join(words, " "))
	}
	for _, w := range words {
		if flag, ok := strings.CutPrefix(w, "--"); ok && !flags[flag] {
			t.Errorf("%s: %s has no flag --%s", document, name, flag)
		}
	}
}

func hasTest(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob(folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(") {
			return true
		}
	}
	return false
}
