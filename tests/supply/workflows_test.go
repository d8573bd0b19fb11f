package supply

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, ".github/workflows/*.yml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q: %v", files, err)
	}
	return files
}

func TestActionlintFindsNothing(t *testing.T) {
	var out bytes.Buffer
	linter, err := actionlint.NewLinter(&out, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	root, _ := filepath.Abs(top)
	project, err := actionlint.NewProject(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range workflows(t) {
		if _, err := linter.LintFile(file, project); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		worse := bytes.Replace(text, []byte("runs-on: "), []byte("run-on: "), 1)
		quiet, err := actionlint.NewLinter(new(bytes.Buffer), &actionlint.LinterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := quiet.Lint(file, worse, project); err != nil || len(found) == 0 {
			t.Errorf("%s: it finds nothing in a worse one either (%v)", file, err)
		}
	}
	if out.Len() != 0 {
		t.Error(out.String())
	}
}

// A tag can be moved by whoever owns the action, a commit cannot.
func TestActionsCountByTheirCommits(t *testing.T) {
	uses := regexp.MustCompile(`(?m)^ *(?:- )?uses: (.+)$`)
	pinned := regexp.MustCompile(`^([a-z-]+/[a-z-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	commits := map[string]string{}
	for _, file := range workflows(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range uses.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(use[1], "./") {
				continue
			}
			parts := pinned.FindStringSubmatch(use[1])
			if parts == nil {
				t.Errorf("%s: %s", file, use[1])
			} else if commit, known := commits[parts[1]]; known && commit != parts[2] {
				t.Errorf("%s: %s elsewhere, %s here", parts[1], commit, parts[2])
			} else {
				commits[parts[1]] = parts[2]
			}
		}
	}
	if len(commits) < 3 {
		t.Errorf("only %v is used", commits)
	}
}

// What a step runs has to be there: nothing else tells before the day of a release.
func TestTheScriptsThatWorkflowsRunExist(t *testing.T) {
	script := regexp.MustCompile(`(?:^|[\s"(])((?:\.ci|deploy|tests|charts)/[A-Za-z0-9_./-]+)`)
	found := 0
	for _, file := range workflows(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range script.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(top, path[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			found++
		}
	}
	if found < 4 {
		t.Errorf("only %d are run", found)
	}
}

// What a job may is said at the job; nothing is allowed by default.
func TestNoJobHasMoreRightsThanItSays(t *testing.T) {
	for _, file := range workflows(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		workflow, problems := actionlint.Parse(text)
		if len(problems) != 0 {
			t.Fatal(problems)
		}
		if workflow.Permissions == nil || workflow.Permissions.All != nil || len(workflow.Permissions.Scopes) != 0 {
			t.Errorf("%s: permissions: {} is to stand at its top", file)
		}
		for name, job := range workflow.Jobs {
			if job.Permissions == nil || job.Permissions.All != nil {
				t.Errorf("%s: %s does not say what it may", file, name)
			}
		}
	}
}
