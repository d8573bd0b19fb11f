package cache

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// definitions are CRDs that are read from somebody's module as an archive. It cannot be a requirement of a module here: its
// go.mod asks for more, such as a newer Go, than its CRDs do. The sum takes go.sum's place.
type definitions struct {
	name, module, sum string
	folder            string   // in the module
	files             []string // which there, as patterns
}

var gatewayAPI = definitions{
	name:   "gateway-api",
	module: "sigs.k8s.io/gateway-api@v1.7.0",
	sum:    "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
	folder: "config/crd/standard/",
	// Not vap_…: a policy against downgrades, of no use in a cluster that lives for an hour.
	files: []string{"gateway.networking.k8s.io_[^v]*.yaml"},
}

// Only the two kinds that the chart makes.
var prometheusOperator = definitions{
	name:   "prometheus-operator",
	module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
	sum:    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
	folder: "example/prometheus-operator-crd/",
	files:  []string{"monitoring.coreos.com_prometheusrules.yaml", "monitoring.coreos.com_servicemonitors.yaml"},
}

// crds returns the directory of the definitions, and fetches them where they are missing.
func (c *Cache) crds(what definitions) (string, error) {
	dir, err := c.place(what.name, nil, what.module, what.sum, "json")
	if err != nil {
		return "", err
	}
	crds := filepath.Join(dir, "crds")
	if exists(crds) {
		return crds, nil
	}
	return crds, c.locked(dir, func() error {
		if exists(crds) {
			return nil
		}
		return c.Log.Stage("fetching the CRDs of "+what.name, func() error { return what.fetch(crds) })
	})
}

type downloaded struct{ Zip, Sum, Error string }

func (d definitions) fetch(dir string) error {
	cmd := exec.Command("go", "mod", "download", "-json", d.module)
	cmd.Dir = os.TempDir() // outside any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, runErr := cmd.Output()
	var got downloaded
	if err := json.Unmarshal(out, &got); err != nil {
		return errors.Join(runErr, fmt.Errorf("go mod download %s: %w", d.module, err))
	}
	// An older Go complains about the module's go line, after it has fetched and checked the archive.
	if got.Zip == "" {
		return fmt.Errorf("go mod download %s: %s", d.module, got.Error)
	}
	if got.Sum != d.sum {
		return fmt.Errorf("%s has the sum %s, expected %s; the download is not what was pinned", d.module, got.Sum, d.sum)
	}
	return installDir(dir, func(scratch string) error { return d.unpack(got.Zip, scratch) })
}

func (d definitions) unpack(archive, dir string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, file := range reader.File {
		name := strings.TrimPrefix(file.Name, d.module+"/")
		folder, base := path.Split(name)
		wanted := func(pattern string) bool { matches, err := path.Match(pattern, base); return err == nil && matches }
		if folder != d.folder || !slices.ContainsFunc(d.files, wanted) {
			continue
		}
		if err := unpack(file, filepath.Join(dir, base)); err != nil {
			return err
		}
	}
	return nil
}

func unpack(file *zip.File, to string) error {
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if content, err = yaml.YAMLToJSON(content); err != nil { // reading it takes a tenth of the time, at every start
		return err
	}
	return os.WriteFile(strings.TrimSuffix(to, ".yaml")+".json", content, 0o644)
}

// kwokStages copies the stages that say how kwok plays nodes and pods out of kwok's own module.
func (c *Cache) kwokStages(dir string) error {
	if exists(dir) {
		return nil
	}
	out, err := c.goTool("kwok", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	module := strings.TrimSpace(string(out))
	return installDir(dir, func(scratch string) error {
		for _, stage := range []string{"node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete"} {
			content, err := os.ReadFile(filepath.Join(module, "kustomize/stage", stage+".yaml"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(scratch, path.Base(stage)+".yaml"), content, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// installDir fills a scratch directory beside dir and renames it to dir, so that dir is never seen half full.
func installDir(dir string, fill func(scratch string) error) error {
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "fill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := fill(scratch); err != nil {
		return err
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	if err := os.Rename(scratch, dir); err != nil && !exists(dir) {
		return err
	}
	return nil
}
