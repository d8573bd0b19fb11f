// Package image makes container images without an engine and without a registry: archives as `docker save` writes them, which containerd
// imports. The same files always make the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
)

// File is one entry of an image's only layer. Without Content, Source, Tree and Link it is a directory.
type File struct {
	Path    string // without a leading slash
	Mode    int64
	Owner   int    // user and group
	Source  string // a file to copy
	Content []byte
	Link    string   // what a symbolic link points to
	Tree    string   // a directory to copy with all that is in it, below Path
	Without []string // what is left out of a Tree, by its path in there
}

// Image says what to make.
type Image struct {
	Reference  string // name:tag
	Entrypoint []string
	User       string
	WorkingDir string
	Files      []File
}

// Write writes the archive, in one step: another instance may be reading it.
func Write(path string, image Image) (err error) {
	scratch, err := os.MkdirTemp(filepath.Dir(path), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	layer := filepath.Join(scratch, "layer.tar")
	diff, err := writeLayer(layer, image.Files)
	if err != nil {
		return fmt.Errorf("image %s: %w", image.Reference, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{
			"Entrypoint": image.Entrypoint, "User": image.User, "WorkingDir": image.WorkingDir,
			"Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + diff}},
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	id := hex.EncodeToString(sum[:])
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": id + ".json", "RepoTags": []string{image.Reference}, "Layers": []string{diff + "/layer.tar"},
	}})
	if err != nil {
		return err
	}
	whole := filepath.Join(scratch, "image.tar")
	err = writeArchive(whole, []File{
		{Path: id + ".json", Mode: 0o644, Content: config}, {Path: "manifest.json", Mode: 0o644, Content: manifest},
		{Path: diff + "/layer.tar", Mode: 0o644, Source: layer},
	}, io.Discard)
	if err != nil {
		return err
	}
	return os.Rename(whole, path)
}

func writeLayer(path string, files []File) (digest string, err error) {
	sum := sha256.New()
	err = writeArchive(path, files, sum)
	return hex.EncodeToString(sum.Sum(nil)), err
}

func writeArchive(path string, files []File, also io.Writer) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	writer := tar.NewWriter(io.MultiWriter(out, also))
	for _, file := range files {
		if err := add(writer, file); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	return writer.Close()
}

func add(writer *tar.Writer, file File) error {
	header := &tar.Header{Name: file.Path, Mode: file.Mode, Uid: file.Owner, Gid: file.Owner, Format: tar.FormatPAX}
	switch {
	case file.Tree != "":
		return addTree(writer, file)
	case file.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Link, 0o777
		return writer.WriteHeader(header)
	case file.Source != "":
		return addSource(writer, header, file.Source)
	case file.Content != nil:
		header.Typeflag, header.Size = tar.TypeReg, int64(len(file.Content))
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		_, err := io.Copy(writer, bytes.NewReader(file.Content))
		return err
	default:
		header.Typeflag, header.Name = tar.TypeDir, file.Path+"/"
		return writer.WriteHeader(header)
	}
}

func addSource(writer *tar.Writer, header *tar.Header, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(writer, source)
	return err
}

// addTree copies directories, files and links; devices and sockets are the container runtime's to make.
func addTree(writer *tar.Writer, file File) error {
	return filepath.WalkDir(file.Tree, func(from string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(file.Tree, from)
		if err != nil {
			return err
		}
		if slices.Contains(file.Without, filepath.ToSlash(inside)) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		one := File{Path: path.Join(file.Path, filepath.ToSlash(inside)), Mode: int64(info.Mode().Perm()), Owner: file.Owner}
		if info.Mode()&fs.ModeSticky != 0 {
			one.Mode |= 0o1000
		}
		switch {
		case one.Path == ".":
			return nil
		case info.IsDir():
		case info.Mode()&fs.ModeSymlink != 0:
			if one.Link, err = os.Readlink(from); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			one.Source = from
		default:
			return nil
		}
		return add(writer, one)
	})
}
