package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

const kubernetesVersion = "v1.35.4"

// Nobody debugs what is built here.
const stripped = "-s -w"

// Without these the programs call themselves v0.0.0-master, and kubectl cannot even say its version.
const kubernetesFlags = stripped + " -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
	" -X k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion

// recipe is how the programs of a pinned module are built.
type recipe struct {
	module  string
	ldflags string
	tags    string // what they are built without, mostly
	patches []patch
}

// pins is what its programs depend on beside the module's own pins.
func (r recipe) pins() []string {
	pins := []string{r.ldflags}
	if r.tags != "" {
		pins = append(pins, r.tags)
	}
	for _, p := range r.patches {
		pins = append(pins, fmt.Sprint(p))
	}
	return pins
}

// tool is one program to build from a pinned module. A node's own programs (kubelet, kube-proxy) would be further
// entries of the same module.
type tool struct {
	name string // of the binary
	pkg  string
	path *string // where to note its place
	kube bool    // may be taken from KUBEBUILDER_ASSETS
}

func (c *Cache) kubernetes(tools *Tools) error {
	const cmd = "k8s.io/kubernetes/cmd/"
	return c.build(recipe{module: "kubernetes", ldflags: kubernetesFlags}, []tool{
		{"etcd", "go.etcd.io/etcd/server/v3", &tools.Etcd, true},
		{"kube-apiserver", cmd + "kube-apiserver", &tools.APIServer, true},
		{"kubectl", cmd + "kubectl", &tools.Kubectl, true},
		{"kube-controller-manager", cmd + "kube-controller-manager", &tools.ControllerManager, false},
		{"kube-scheduler", cmd + "kube-scheduler", &tools.Scheduler, false},
	})
}

func (c *Cache) kwok(tools *Tools) error {
	err := c.build(
		recipe{module: "kwok", ldflags: stripped, patches: kwokPatches},
		[]tool{{"kwok", "sigs.k8s.io/kwok/cmd/kwok", &tools.Kwok, false}},
	)
	if err != nil {
		return err
	}
	stages, err := c.kwokStages()
	if err != nil {
		return fmt.Errorf("copying kwok's stages: %w", err)
	}
	tools.KwokStages = stages
	return nil
}

// build makes the missing ones of a module's tools, all in one go so that their common packages compile once.
func (c *Cache) build(recipe recipe, tools []tool) error {
	dir, err := c.place(recipe.module, []string{recipe.module + "/go.mod", recipe.module + "/go.sum"}, recipe.pins()...)
	if err != nil {
		return err
	}
	missing := func() (left []tool) {
		for _, t := range tools {
			if !exists(*t.path) {
				left = append(left, t)
			}
		}
		return left
	}
	for _, t := range tools {
		*t.path = filepath.Join(dir, t.name)
		if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" && t.kube {
			*t.path = filepath.Join(assets, t.name)
			if !exists(*t.path) {
				return fmt.Errorf("KUBEBUILDER_ASSETS is %s, but there is no %s in it; put it there or unset the variable", assets, t.name)
			}
		}
	}
	if len(missing()) == 0 {
		return nil
	}
	return c.locked(dir, func() error {
		left := missing() // another process may have built them meanwhile
		if len(left) == 0 {
			return nil
		}
		names := make([]string, len(left))
		for i, t := range left {
			names[i] = t.name
		}
		return c.Log.Stage("building "+strings.Join(names, ", "), func() error { return c.compile(recipe, dir, left) })
	})
}

// compile builds into a scratch directory and moves each finished binary to its place in one step.
func (c *Cache) compile(recipe recipe, dir string, tools []tool) error {
	scratch, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	patched, err := c.patched(recipe.module, filepath.Join(scratch, "patched"), recipe.patches)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-mod=readonly", "-trimpath", "-ldflags", recipe.ldflags, "-tags", recipe.tags, "-o", scratch + "/"}, patched...)
	for _, t := range tools {
		args = append(args, t.pkg)
	}
	if _, err := c.goTool(recipe.module, args...); err != nil {
		return err
	}
	for _, t := range tools {
		if err := os.Rename(filepath.Join(scratch, binaryOf(t.pkg)), *t.path); err != nil {
			return err
		}
	}
	return nil
}

// binaryOf is the name that `go build` gives: the last path element that is not a major version.
func binaryOf(pkg string) string {
	name := path.Base(pkg)
	if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" {
		return path.Base(path.Dir(pkg))
	}
	return name
}

// goTool runs the go command inside one of the pinned modules.
func (c *Cache) goTool(module string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join(c.Source, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("go %s in %s: %w\n%s", args[0], cmd.Dir, err, lastLines(stderr.String(), 20))
	}
	return stdout.Bytes(), nil
}

// moduleDir is where the source of a module is that is pinned in another one; it is brought where it is not there yet.
func (c *Cache) moduleDir(module, wanted string) (string, error) {
	out, err := c.goTool(module, "mod", "download", "-json", wanted)
	if err != nil {
		return "", err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("reading where %s is: %w", wanted, err)
	}
	return found.Dir, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
