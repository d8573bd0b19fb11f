package main

import (
	"errors"
	"flag"
	"os"
	"strings"

	"openclaw.io/local/platform/internal/cache"
	"openclaw.io/local/platform/internal/progress"
)

// toolPath prints where a program is that tests use beside an instance, after building it where it is missing.
func toolPath(args []string) error {
	flags := flag.NewFlagSet("tool", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return exitCode(2)
	}
	if flags.NArg() != 1 {
		return errors.New("name one tool: " + strings.Join(cache.ToolNames(), ", "))
	}
	c, err := newCache(progress.New(os.Stderr))
	if err != nil {
		return err
	}
	path, err := c.Tool(flags.Arg(0))
	if err != nil {
		return err
	}
	say(os.Stdout, "%s", path)
	return nil
}
