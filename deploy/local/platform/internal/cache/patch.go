package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// patch is one change of one file of a module that is built here, for what its own release does wrong.
type patch struct {
	module, file string
	was, now     string
}

// kwokPatches let kwok go on with a watch of pods where the last one ended. As released it begins each at version 0, which brings all
// pods anew. With a thousand of them and more a watch ended again before kwok had got through, and it played the same pods again and again
// while new ones waited.
var kwokPatches = []patch{{
	module: "sigs.k8s.io/kwok", file: "pkg/utils/informer/event.go",
	was: "if !o.EnableListPager || o.EnableStreamWatch {",
	now: "if opts.ResourceVersion == \"\" && (!o.EnableListPager || o.EnableStreamWatch) {",
}}

// patched makes changed copies in dir, and returns the flags that have them built; none where there is nothing to patch.
func (c *Cache) patched(module, dir string, patches []patch) ([]string, error) {
	if len(patches) == 0 {
		return nil, nil
	}
	content, err := os.ReadFile(filepath.Join(c.Source, module, "go.mod"))
	if err != nil {
		return nil, err
	}
	for i, p := range patches {
		copied := filepath.Join(dir, fmt.Sprint(i))
		if err := c.patch(module, copied, p); err != nil {
			return nil, fmt.Errorf("patching %s: %w", p.module, err)
		}
		content = fmt.Appendf(content, "\nreplace %s => %s\n", p.module, copied)
	}
	sums, err := os.ReadFile(filepath.Join(c.Source, module, "go.sum"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
		return nil, err
	}
	pins := filepath.Join(dir, "go.mod")
	return []string{"-modfile", pins}, os.WriteFile(pins, content, 0o644)
}

// patch copies a patch's module to dir and changes its file there.
func (c *Cache) patch(module, dir string, p patch) error {
	source, err := c.moduleDir(module, p.module)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		return err
	}
	file := filepath.Join(dir, p.file)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	content, err = p.apply(content)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// apply changes the one place that the patch is for; a release that has no such place, or two, needs another patch or none.
func (p patch) apply(content []byte) ([]byte, error) {
	if count := bytes.Count(content, []byte(p.was)); count != 1 {
		return nil, fmt.Errorf("%q is %d times in %s and not once; look what this release does there", strings.TrimSpace(p.was), count, p.file)
	}
	return bytes.Replace(content, []byte(p.was), []byte(p.now), 1), nil
}
