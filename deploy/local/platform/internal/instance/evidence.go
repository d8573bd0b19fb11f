package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"openclaw.io/local/platform/internal/awsproxy"
)

const (
	objectsFile  = "objects.json"
	completeFile = "complete"
	dumpPatience = 10 * time.Minute
)

// record lets the proxy write down what it is asked.
func (i *Instance) record() error {
	if !i.options.Evidence {
		return nil
	}
	recorder, err := awsproxy.NewRecorder(i.options.Dir)
	if err != nil {
		return fmt.Errorf("recording requests: %w", err)
	}
	i.aws.Record(recorder)
	return nil
}

// KeepObjects writes down every object of every kind that the API server has at the end, statuses and events included.
// What was there before is in etcd's own files, which stay beside it.
func (i *Instance) KeepObjects() error {
	ctx, cancel := context.WithTimeout(context.Background(), dumpPatience) // the instance's own context has ended
	defer cancel()
	kinds, err := i.kubectl(ctx, "api-resources", "--verbs=list", "--output=name")
	if err != nil {
		return fmt.Errorf("listing kinds: %w", err)
	}
	list := strings.Join(strings.Fields(string(kinds)), ",")
	objects, err := i.kubectl(ctx, "get", list, "--all-namespaces", "--show-managed-fields", "--output=json")
	if err != nil {
		return fmt.Errorf("reading all objects: %w", err)
	}
	return os.WriteFile(i.path(objectsFile), objects, 0o600)
}

func (i *Instance) kubectl(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, i.tools.Kubectl, append([]string{"--kubeconfig", i.info.Kubeconfig}, args...)...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		err = fmt.Errorf("%w: %s", err, ended.Stderr)
	}
	return out, err
}

// Complete says that nothing more is written into the instance's directory. What etcd has set aside for later, 64 MB of
// zeros, need not be kept.
func (i *Instance) Complete() error {
	unused, err := filepath.Glob(i.path("etcd", "member", "wal", "*.tmp"))
	for _, path := range unused {
		err = errors.Join(err, os.Remove(path))
	}
	return errors.Join(err, os.WriteFile(i.path(completeFile), nil, 0o600))
}
