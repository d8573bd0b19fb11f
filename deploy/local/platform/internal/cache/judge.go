package cache

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// Judge is the program that evaluates IAM policies.
type Judge struct{ Node, Script, Packages string }

// Judge puts the evaluator and what it needs outside of the checkout.
func (c *Cache) Judge() (Judge, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return Judge{}, errors.New("node is not installed; what pods may do in AWS is judged under Node 20 or newer, with npm")
	}
	const pins = "judge/package-lock.json"
	dir, err := c.place("judge", []string{pins})
	if err != nil {
		return Judge{}, err
	}
	judge := Judge{Node: node, Script: filepath.Join(c.Source, "judge", "judge.mjs"), Packages: dir}
	complete := filepath.Join(dir, "complete")
	return judge, c.once(dir, complete, "installing the judge of IAM policies (npm)", func() error {
		for _, file := range []string{"package.json", "package-lock.json"} {
			content, err := os.ReadFile(filepath.Join(c.Source, "judge", file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
				return err
			}
		}
		if err := run("npm", "ci", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
			return err
		}
		return os.WriteFile(complete, nil, 0o644)
	})
}
