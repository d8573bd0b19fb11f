package awsproxy

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

const current = "AWSCURRENT"

// versions lists a secret's versions with their labels.
func (p *Proxy) versions(ctx context.Context, call *Call) (map[string][]string, error) {
	reply, err := p.forward(ctx, call.with("DescribeSecret", map[string]any{"SecretId": call.fields["SecretId"]}))
	if err != nil || !reply.ok() {
		return nil, err // the call itself will say what is wrong
	}
	described, _ := reply.fields()["VersionIdsToStages"].(map[string]any)
	versions := map[string][]string{}
	for id, stages := range described {
		versions[id] = texts(stages)
	}
	return versions, nil
}

func holder(versions map[string][]string, stage string) string {
	for id, stages := range versions {
		if slices.Contains(stages, stage) {
			return id
		}
	}
	return ""
}

func texts(value any) []string {
	list, _ := value.([]any)
	out := make([]string, 0, len(list))
	for _, item := range list {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// compareAndSwap: "If the staging label that you are trying to attach to one version is already attached to a different
// version, then you must include this parameter [RemoveFromVersionId] … If the label is attached and you either do not
// specify this parameter, or the version ID does not match, then the operation fails" (API reference,
// UpdateSecretVersionStage). moto checks only part of it, and loses the label where MoveToVersionId does not exist.
func (p *Proxy) compareAndSwap(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		versions, err := p.versions(ctx, call)
		if err != nil {
			return nil, err
		}
		if versions == nil {
			return next(ctx, call)
		}
		stage, from, to := call.text("VersionStage"), call.text("RemoveFromVersionId"), call.text("MoveToVersionId")
		attached := holder(versions, stage)
		switch {
		case to != "" && versions[to] == nil:
			return invalidParameter(call, "Not a valid version: "+to), nil
		case from != "" && from != attached:
			return invalidParameter(call, fmt.Sprintf("Staging label %s is not attached to version %s.", stage, from)), nil
		case to != "" && attached != "" && attached != to && from == "":
			return invalidParameter(call, fmt.Sprintf("The parameter RemoveFromVersionId can't be empty. Staging label %s is "+
				"currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, attached)), nil
		case to != "" && attached == to:
			// Already so; moto would list the label twice.
			return call.succeedWithSecret(ctx, p)
		}
		return next(ctx, call)
	}
}

func (c *Call) succeedWithSecret(ctx context.Context, p *Proxy) (*Reply, error) {
	reply, err := p.forward(ctx, c.with("DescribeSecret", map[string]any{"SecretId": c.fields["SecretId"]}))
	if err != nil || !reply.ok() {
		return reply, err
	}
	described := reply.fields()
	return c.succeed(map[string]any{"ARN": described["ARN"], "Name": described["Name"]}), nil
}

// moveCurrent: a new version takes AWSCURRENT from the version that holds it, and only that label moves (API reference,
// PutSecretValue). moto remembers the current version apart from the labels, misses when UpdateSecretVersionStage moves
// it, and strips the old version of all its labels; so the version is put without AWSCURRENT, which then is moved.
func (p *Proxy) moveCurrent(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		stages := texts(call.fields["VersionStages"])
		if len(stages) == 0 {
			stages = []string{current}
		}
		versions, err := p.versions(ctx, call)
		if err != nil {
			return nil, err
		}
		old := holder(versions, current)
		if !slices.Contains(stages, current) || old == "" || versions[call.Token] != nil {
			return next(ctx, call)
		}
		put := make(map[string]any, len(call.fields))
		for name, value := range call.fields {
			put[name] = value
		}
		others := slices.DeleteFunc(slices.Clone(stages), func(s string) bool { return s == current })
		put["VersionStages"] = others
		reply, err := next(ctx, call.with("PutSecretValue", put))
		if err != nil || !reply.ok() {
			return reply, err
		}
		fields := reply.fields()
		moved, err := p.forward(ctx, call.with("UpdateSecretVersionStage", map[string]any{
			"SecretId": call.fields["SecretId"], "VersionStage": current,
			"RemoveFromVersionId": old, "MoveToVersionId": fields["VersionId"],
		}))
		if err != nil || !moved.ok() {
			return moved, err
		}
		fields["VersionStages"] = stages
		return rewritten(reply, fields), nil
	}
}

// refuseKnownToken: "If you call this operation with a ClientRequestToken that matches an existing version's VersionId,
// the operation results in an error. You can't modify an existing version" (API reference, UpdateSecret).
func (p *Proxy) refuseKnownToken(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		if !hasValue(call) || call.Token == "" {
			return next(ctx, call)
		}
		versions, err := p.versions(ctx, call)
		if err != nil {
			return nil, err
		}
		if versions[call.Token] != nil {
			return call.fail(http.StatusBadRequest, "ResourceExistsException", "You can't use ClientRequestToken "+call.Token+
				" because that value is already in use for a version of secret "+call.Target+"."), nil
		}
		return next(ctx, call)
	}
}

// defaultToCurrent: "If you don't specify either a VersionStage or VersionId, Secrets Manager returns the AWSCURRENT
// version" (API reference, GetSecretValue). moto returns the version that was current when it was put.
func defaultToCurrent(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		if call.text("VersionId") != "" || call.text("VersionStage") != "" {
			return next(ctx, call)
		}
		reply, err := next(ctx, call.with("GetSecretValue", map[string]any{"SecretId": call.fields["SecretId"], "VersionStage": current}))
		if err == nil && reply.Code == "ResourceNotFoundException" {
			return call.fail(http.StatusBadRequest, reply.Code,
				"Secrets Manager can't find the specified secret value for staging label: "+current), nil
		}
		return reply, err
	}
}
