package supply

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

const top = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Stands in for the registry: every base is there, with one layer, and a tag is not resolved to a digest.
type registry struct{}

func (registry) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	platform := platforms.MustParse("linux/amd64")
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		platform = *opt.ImageOpt.Platform
	}
	layers := ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(ref)}}
	image, err := json.Marshal(ocispecs.Image{Platform: platform, RootFS: layers})
	return ref, "", image, err
}

func options(text, platform string) dockerfile2llb.ConvertOpt {
	target := platforms.MustParse(platform)
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", []byte(text))
	source.Definition = &llb.Definition{}
	return dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildPlatforms:  []ocispecs.Platform{platforms.MustParse("linux/amd64")},
			TargetPlatforms: []ocispecs.Platform{target},
		},
		TargetPlatform: &target,
		MetaResolver:   registry{},
		SourceMap:      source,
	}
}

func warnings(t *testing.T, text string) (found []string) {
	t.Helper()
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		results, err := dockerfile2llb.DockerfileLint(context.Background(), []byte(text), options(text, platform))
		if err != nil {
			t.Fatal(err)
		}
		if results.Error != nil {
			found = append(found, results.Error.Message)
		}
		for _, warning := range results.Warnings {
			found = append(found, warning.RuleName+": "+warning.Detail)
		}
	}
	return found
}

func TestBuildKitsRulesFindNothing(t *testing.T) {
	text := read(t, "Dockerfile")
	if found := warnings(t, text); found != nil {
		t.Errorf("%q", found)
	}
	worse := strings.ReplaceAll(text, "COPY src src", "COPY src src\nCOPY --from=biuld /a /a\nENV AWS_SECRET_ACCESS_KEY x")
	if worse == text || warnings(t, worse) == nil {
		t.Error("it finds nothing in a worse one either")
	}
}

// What a container engine is given to do, for one platform.
func converted(t *testing.T, platform string) (*dockerfile2llb.Result, []*pb.Op) {
	t.Helper()
	text := read(t, "Dockerfile")
	result, err := dockerfile2llb.Dockerfile2LLB(context.Background(), []byte(text), options(text, platform))
	if err != nil {
		t.Fatal(err)
	}
	definition, err := result.State.Marshal(context.Background(), llb.Platform(platforms.MustParse(platform)))
	if err != nil {
		t.Fatal(err)
	}
	var ops []*pb.Op
	for _, bytes := range definition.Def {
		op := &pb.Op{}
		if err := op.Unmarshal(bytes); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return result, ops
}

func TestTheImageRunsOneProgramAsNobody(t *testing.T) {
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		result, _ := converted(t, platform)
		config := result.Image.Config
		if config.User != "65532:65532" || !slices.Equal(config.Entrypoint, []string{"/openclaw-tenant-operator"}) ||
			!slices.Equal(config.Cmd, []string{"run"}) || len(config.ExposedPorts) != 1 || len(config.Volumes) != 0 {
			t.Errorf("%s: %+v", platform, config)
		}
		if got := platforms.Format(result.Image.Platform); got != platform {
			t.Errorf("%s is an image for %s", platform, got)
		}
	}
}

func TestEveryBaseCountsByItsDigestAndTheProgramIsCompiledOnOneKindOfMachine(t *testing.T) {
	pinned := regexp.MustCompile(`^docker-image://[^@]+@sha256:[0-9a-f]{64}$`)
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		_, ops := converted(t, platform)
		var bases, compiled []string
		for _, op := range ops {
			if source := op.GetSource(); source != nil && strings.HasPrefix(source.Identifier, "docker-image://") {
				bases = append(bases, source.Identifier)
			}
			if exec := op.GetExec(); exec != nil && strings.Contains(strings.Join(exec.Meta.Args, " "), "deploy/image/build.sh") {
				compiled = append(compiled, op.Platform.OS+"/"+op.Platform.Architecture)
			}
		}
		if len(bases) != 2 || slices.ContainsFunc(bases, func(base string) bool { return !pinned.MatchString(base) }) {
			t.Errorf("%s: %q", platform, bases)
		}
		if !slices.Equal(compiled, []string{"linux/amd64"}) {
			t.Errorf("for %s it compiles on %q", platform, compiled)
		}
	}
}

// The stages as they are written.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(read(t, "Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func TestTheContextIsWhatTheImageIsMadeOfAndNothingElse(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, ".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	var copied []string
	for _, stage := range stages(t) {
		for _, command := range stage.Commands {
			if one, ok := command.(*instructions.CopyCommand); ok && one.From == "" {
				copied = append(copied, one.SourcePaths...)
			}
		}
	}
	if len(copied) == 0 {
		t.Fatal("nothing is copied")
	}
	for _, path := range copied {
		if _, err := os.Stat(filepath.Join(top, path)); err != nil {
			t.Error(err)
		}
	}
	seen := 0
	err = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(top, path)
		if name := entry.Name(); entry.IsDir() && (name == "target" || name == ".git" || name == "node_modules") {
			return filepath.SkipDir
		}
		if entry.IsDir() {
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(relative)
		if err != nil {
			return err
		}
		wanted := slices.ContainsFunc(copied, func(one string) bool { return relative == one || strings.HasPrefix(relative, one+"/") })
		if wanted == ignored {
			t.Errorf("%s: copied %v, left out of the context %v", relative, wanted, ignored)
		}
		seen++
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files seen: %v", seen, err)
	}
}
