package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, content []byte) (headers map[string]*tar.Header, files map[string][]byte) {
	t.Helper()
	headers, files = map[string]*tar.Header{}, map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(content))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return headers, files
		}
		if err != nil {
			t.Fatal(err)
		}
		headers[header.Name] = header
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func made(t *testing.T, dir string) []byte {
	t.Helper()
	tree := filepath.Join(dir, "tree")
	must(t, os.MkdirAll(filepath.Join(tree, "etc"), 0o755))
	must(t, os.MkdirAll(filepath.Join(tree, "left-out"), 0o755))
	must(t, os.WriteFile(filepath.Join(tree, "etc", "motd"), []byte("hello"), 0o644))
	must(t, os.WriteFile(filepath.Join(tree, "left-out", "secret"), []byte("x"), 0o644))
	must(t, os.Symlink("motd", filepath.Join(tree, "etc", "link")))
	must(t, os.Chmod(filepath.Join(tree, "etc"), os.ModeSticky|0o777))
	out := filepath.Join(dir, "image.tar")
	must(t, Write(out, Image{
		Reference: "local/one:1", Entrypoint: []string{"/program"}, User: "1000:1000", WorkingDir: "/app",
		Files: []File{
			{Tree: tree, Without: []string{"left-out"}},
			{Path: "home/node", Mode: 0o755, Owner: 1000},
			{Path: "app", Link: "/opt/app"},
		},
	}))
	content, err := os.ReadFile(out)
	must(t, err)
	return content
}

func TestAnArchiveHoldsItsFilesAsTheyAreAndNamesItself(t *testing.T) {
	_, files := read(t, made(t, t.TempDir()))
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	must(t, json.Unmarshal(files["manifest.json"], &manifest))
	if len(manifest) != 1 || manifest[0].RepoTags[0] != "local/one:1" {
		t.Fatalf("%+v", manifest)
	}
	var config struct {
		Config struct{ User, WorkingDir string }
	}
	must(t, json.Unmarshal(files[manifest[0].Config], &config))
	if config.Config.User != "1000:1000" || config.Config.WorkingDir != "/app" {
		t.Fatalf("%+v", config)
	}
	headers, inside := read(t, files[manifest[0].Layers[0]])
	if string(inside["etc/motd"]) != "hello" || headers["etc/link"].Linkname != "motd" || headers["etc/"].Mode != 0o1777 {
		t.Fatalf("%v", headers)
	}
	if headers["home/node/"].Uid != 1000 || headers["app"].Linkname != "/opt/app" {
		t.Fatalf("%v", headers)
	}
	if headers["left-out/"] != nil || headers["left-out/secret"] != nil {
		t.Fatal("what is to be left out is in it")
	}
}

func TestTheSameFilesMakeTheSameBytes(t *testing.T) {
	if !bytes.Equal(made(t, t.TempDir()), made(t, t.TempDir())) {
		t.Fatal("they differ")
	}
}
