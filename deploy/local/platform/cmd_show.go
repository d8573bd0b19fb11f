package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"openclaw.io/local/platform/internal/instance"
)

func list(args []string) error {
	if err := parse(flag.NewFlagSet("list", flag.ContinueOnError), args); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	say(table, "NAME\tSTATE\tPID\tSERVER\tKUBECONFIG")
	for _, one := range instances() {
		pid := one.running()
		info, err := instance.ReadInfo(one.dir)
		state := "ready"
		switch {
		case pid == 0:
			state = "ended by itself; see " + one.log()
		case err != nil:
			state = "starting"
		}
		say(table, "%s\t%s\t%d\t%s\t%s", one.name, state, pid, info.Server, info.Kubeconfig)
	}
	return nil
}

// chosen is the running instance that the arguments of a command without flags of its own name.
func chosen(command string, args []string) (instance.Info, error) {
	var where place
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	where.flags(flags)
	if err := parse(flags, args); err != nil {
		return instance.Info{}, err
	}
	if err := where.resolve(); err != nil {
		return instance.Info{}, err
	}
	return where.ready()
}

func status(args []string) error {
	info, err := chosen("status", args)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, line := range [][2]string{
		{"directory", info.Dir}, {"API server", info.Server}, {"kubeconfig", info.Kubeconfig}, {"audit log", info.AuditLog},
		{"AWS account", info.AWS.AccountID + " " + info.AWS.Region}, {"EKS cluster", info.AWS.ClusterARN},
		{"EKS", info.AWS.Endpoints.EKS}, {"Secrets Manager", info.AWS.Endpoints.SecretsManager},
		{"IAM", info.AWS.Endpoints.IAM}, {"STS", info.AWS.Endpoints.STS}, {"control", info.ControlURL},
	} {
		say(table, "%s\t%s", line[0], line[1])
	}
	say(table, "\nPROCESS\tPID\tMEMORY")
	printMemory(table, info)
	return nil
}

func printMemory(table *tabwriter.Writer, info instance.Info) {
	pids := map[string]int{"supervisor and stand-ins": info.Pid}
	for name, pid := range info.Pids {
		pids[name] = pid
	}
	names := make([]string, 0, len(pids))
	for name := range pids {
		names = append(names, name)
	}
	slices.Sort(names)
	total := 0
	for _, name := range names {
		megabytes := residentMegabytes(pids[name])
		total += megabytes
		say(table, "%s\t%d\t%d MB", name, pids[name], megabytes)
	}
	say(table, "together\t\t%d MB", total)
}

func residentMegabytes(pid int) int {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kilobytes, _ := strconv.Atoi(string(bytes.TrimSpace(out)))
	return kilobytes / 1024
}

func env(args []string) error {
	info, err := chosen("env", args)
	if err != nil {
		return err
	}
	for _, variable := range [][2]string{
		{"KUBECONFIG", info.Kubeconfig},
		{"AWS_REGION", info.AWS.Region},
		{"AWS_DEFAULT_REGION", info.AWS.Region},
		{"AWS_ACCESS_KEY_ID", "local"},
		{"AWS_SECRET_ACCESS_KEY", "local"},
		{"AWS_ENDPOINT_URL_EKS", info.AWS.Endpoints.EKS},
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", info.AWS.Endpoints.SecretsManager},
		{"AWS_ENDPOINT_URL_IAM", info.AWS.Endpoints.IAM},
		{"AWS_ENDPOINT_URL_STS", info.AWS.Endpoints.STS},
		{"OPENCLAW_PLATFORM_CONTROL", info.ControlURL},
		{"OPENCLAW_PLATFORM_PYTHON", info.Python},
	} {
		say(os.Stdout, "export %s=%s", variable[0], quote(variable[1]))
	}
	say(os.Stdout, `export PATH=%s:"$PATH"`, quote(filepath.Dir(info.Kubectl)))
	return nil
}

// quote makes a value one word for any shell.
func quote(value string) string {
	return fmt.Sprintf("'%s'", strings.ReplaceAll(value, "'", `'\''`))
}
