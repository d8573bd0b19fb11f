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
	"strings"

	"sigs.k8s.io/yaml"
)

// The CRDs of the Gateway API are read from its module as an archive. It cannot be a requirement of a module here: its
// go.mod asks for a newer Go than its CRDs do. The sum takes go.sum's place.
const (
	gatewayAPIModule = "sigs.k8s.io/gateway-api@v1.7.0"
	gatewayAPISum    = "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY="
	gatewayAPICRDs   = "config/crd/standard/gateway.networking.k8s.io_"
)

func (c *Cache) gatewayAPI(tools *Tools) error {
	dir, err := c.place("gateway-api", nil, gatewayAPIModule, gatewayAPISum, "json")
	if err != nil {
		return err
	}
	tools.GatewayAPI = filepath.Join(dir, "crds")
	if exists(tools.GatewayAPI) {
		return nil
	}
	return c.locked(dir, func() error {
		if exists(tools.GatewayAPI) {
			return nil
		}
		return c.Log.Stage("fetching the Gateway API's CRDs", func() error { return fetchGatewayAPI(tools.GatewayAPI) })
	})
}

type downloaded struct{ Zip, Sum, Error string }

func fetchGatewayAPI(dir string) error {
	cmd := exec.Command("go", "mod", "download", "-json", gatewayAPIModule)
	cmd.Dir = os.TempDir() // outside any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, runErr := cmd.Output()
	var got downloaded
	if err := json.Unmarshal(out, &got); err != nil {
		return errors.Join(runErr, fmt.Errorf("go mod download %s: %w", gatewayAPIModule, err))
	}
	// An older Go complains about the module's go line, after it has fetched and checked the archive.
	if got.Zip == "" {
		return fmt.Errorf("go mod download %s: %s", gatewayAPIModule, got.Error)
	}
	if got.Sum != gatewayAPISum {
		return fmt.Errorf("%s has the sum %s, expected %s; the download is not what was pinned", gatewayAPIModule, got.Sum, gatewayAPISum)
	}
	return installDir(dir, func(scratch string) error { return unpackCRDs(got.Zip, scratch) })
}

func unpackCRDs(archive, dir string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, file := range reader.File {
		name := strings.TrimPrefix(file.Name, gatewayAPIModule+"/")
		// vap_…: a policy against downgrades, of no use in a cluster that lives for an hour.
		if !strings.HasPrefix(name, gatewayAPICRDs) || strings.HasPrefix(name, gatewayAPICRDs+"vap_") {
			continue
		}
		if err := unpack(file, filepath.Join(dir, path.Base(name))); err != nil {
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
