package cache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"openclaw.io/local/platform/internal/image"
)

// debian is the release on which the official image of OpenClaw stands.
const debian = "bookworm"

// Home and user are those of the official image.
const (
	workspaceHome = "home/node"
	workspaceUser = 1000
)

// Workspace makes the image of a workspace without a registry: Debian's smallest system, and OpenClaw with its Node as npm has put them
// into a directory (tests/openclaw/install.sh: bin/node, node_modules, package-lock.json). User, paths and working directory are those of
// the official image, so that a StatefulSet that is made for that runs this one as it is.
func (c *Cache) Workspace(openclaw, reference string) (string, error) {
	for _, part := range []string{"bin/node", "node_modules/openclaw/dist/index.js", "package-lock.json"} {
		if !exists(filepath.Join(openclaw, part)) {
			return "", fmt.Errorf("%s has no %s: it is no directory that tests/openclaw/install.sh has made", openclaw, part)
		}
	}
	lock, err := os.ReadFile(filepath.Join(openclaw, "package-lock.json"))
	if err != nil {
		return "", err
	}
	dir, err := c.place("workspace", nil, debian, reference, string(lock))
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "workspace.tar")
	return archive, c.once(dir, archive, "making the image "+reference, func() error {
		return c.makeWorkspace(dir, archive, openclaw, reference)
	})
}

func (c *Cache) makeWorkspace(dir, archive, openclaw, reference string) error {
	root, err := os.MkdirTemp(dir, "root-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	// Certificates: Node has its own, what it starts has not.
	command := exec.Command("debootstrap", "--variant=minbase", "--include=ca-certificates", debian, root)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("debootstrap: %w\n%s", err, lastLines(string(out), 15))
	}
	for file, line := range map[string]string{
		"etc/passwd": fmt.Sprintf("node:x:%d:%d::/%s:/bin/bash\n", workspaceUser, workspaceUser, workspaceHome),
		"etc/group":  fmt.Sprintf("node:x:%d:\n", workspaceUser),
	} {
		if err := appendTo(filepath.Join(root, file), line); err != nil {
			return err
		}
	}
	node, err := filepath.EvalSymlinks(filepath.Join(openclaw, "bin", "node"))
	if err != nil {
		return err
	}
	// Node's own package is what bin/node leads to: it need not be there twice.
	without, err := filepath.Glob(filepath.Join(openclaw, "node_modules", "node-linux-*"))
	if err != nil {
		return err
	}
	for n := range without {
		without[n] = filepath.Base(without[n])
	}
	return image.Write(archive, image.Image{
		Reference: reference, User: fmt.Sprintf("%d:%d", workspaceUser, workspaceUser), WorkingDir: "/app",
		Files: []image.File{
			{Tree: root, Without: []string{"dev", "var/cache/apt/archives", "var/lib/apt/lists"}},
			{Path: workspaceHome, Mode: 0o755, Owner: workspaceUser},
			{Path: "usr/local/bin/node", Mode: 0o755, Source: node},
			{Path: "opt/openclaw", Mode: 0o755},
			{Path: "opt/openclaw/node_modules", Tree: filepath.Join(openclaw, "node_modules"), Without: without},
			// Packages are looked for from where a program really lies.
			{Path: "app", Link: "/opt/openclaw/node_modules/openclaw"},
		},
	})
}

func appendTo(path, line string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(line)
	return err
}
