package awsproxy

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// secrets is what the proxy knows beyond the emulator: which names are in their recovery window.
type secrets struct {
	keyed
	mu        sync.RWMutex
	scheduled map[string]bool
}

func newSecrets() *secrets { return &secrets{scheduled: map[string]bool{}} }

func (s *secrets) isScheduled(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.scheduled[name]
}

func (s *secrets) setScheduled(name string, scheduled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if scheduled {
		s.scheduled[name] = true
	} else {
		delete(s.scheduled, name)
	}
}

var arnSuffix = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// secretName is the name in a SecretId, which may be an ARN.
func secretName(id string) string {
	if !strings.HasPrefix(id, "arn:") {
		return id
	}
	_, name, _ := strings.Cut(id, ":secret:")
	return arnSuffix.ReplaceAllString(name, "")
}

func (p *Proxy) registerSecrets() {
	register := func(operation string, mends ...func(mend) mend) {
		mended := p.forward
		for _, wrap := range slices.Backward(mends) {
			mended = wrap(mended)
		}
		p.mends[SecretsManager+"."+operation] = status400(mended)
	}
	one, window := p.oneAtATime, p.refuseInWindow
	register("CreateSecret", one, p.refuseCreateInWindow, checkSecretName, answerWithToken)
	register("PutSecretValue", one, window, p.moveCurrent)
	register("UpdateSecret", one, window, p.refuseKnownToken)
	register("UpdateSecretVersionStage", one, window, p.compareAndSwap)
	register("GetSecretValue", window, defaultToCurrent)
	register("DeleteSecret", one, p.noteScheduled)
	register("RestoreSecret", one, p.noteRestored)
	register("DescribeSecret", hideUnlabelled)
	register("ListSecrets", hideUnlabelled)
	register("ListSecretVersionIds", hideDeprecated)
	for _, operation := range []string{"TagResource", "UntagResource", "RotateSecret", "CancelRotateSecret", "PutResourcePolicy",
		"DeleteResourcePolicy"} {
		register(operation, one, window)
	}
}

// status400: every client error of Secrets Manager is HTTP 400 (API reference, "Errors" of each action); moto answers
// 404 to some.
func status400(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err == nil && reply.Status == http.StatusNotFound {
			reply.Status = http.StatusBadRequest
		}
		return reply, err
	}
}

// oneAtATime keeps the mends that need more than one call to the emulator atomic, per secret.
func (p *Proxy) oneAtATime(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		defer p.secrets.lock(call.Target)()
		return next(ctx, call)
	}
}

// refuseInWindow: "InvalidRequestException … Possible causes: The secret is scheduled for deletion" is an error of each
// of these actions (Secrets Manager API reference); moto lets Put, Tag and others through.
func (p *Proxy) refuseInWindow(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		if p.secrets.isScheduled(call.Target) {
			return invalidRequest(call, "You can't perform this operation on the secret because it was marked for deletion."), nil
		}
		return next(ctx, call)
	}
}

// refuseCreateInWindow: a name stays taken while its secret can be restored, whatever the token (user guide, "Delete an
// AWS Secrets Manager secret"); moto says ResourceExistsException, or nothing where token and value are the same.
func (p *Proxy) refuseCreateInWindow(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		if p.secrets.isScheduled(call.Target) {
			return invalidRequest(call, "You can't create this secret because a secret with this name is already scheduled for deletion."), nil
		}
		return next(ctx, call)
	}
}

func invalidRequest(call *Call, message string) *Reply {
	return call.fail(http.StatusBadRequest, "InvalidRequestException", message)
}

var validSecretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`)

// checkSecretName: "The secret name can contain ASCII letters, numbers, and the following characters: /_+=.@-" (API
// reference, CreateSecret; the service also takes "!").
func checkSecretName(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		if !validSecretName.MatchString(call.text("Name")) {
			return call.fail(http.StatusBadRequest, "ValidationException",
				"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"), nil
		}
		return next(ctx, call)
	}
}

// answerWithToken: a repeated CreateSecret answers with the version that it made, whose id is the ClientRequestToken (API
// reference, CreateSecret); moto answers with the version that is current by now.
func answerWithToken(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err != nil || !reply.ok() || call.Token == "" || !hasValue(call) {
			return reply, err
		}
		fields := reply.fields()
		fields["VersionId"] = call.Token
		return rewritten(reply, fields), nil
	}
}

func hasValue(call *Call) bool { return firstOf(call.fields, "SecretString", "SecretBinary") != nil }

// noteScheduled remembers the recovery window, which begins with DeleteSecret unless it is forced.
func (p *Proxy) noteScheduled(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err == nil && reply.ok() {
			p.secrets.setScheduled(call.Target, call.fields["ForceDeleteWithoutRecovery"] != true)
		}
		return reply, err
	}
}

func (p *Proxy) noteRestored(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err == nil && reply.ok() {
			p.secrets.setScheduled(call.Target, false)
		}
		return reply, err
	}
}

// hideUnlabelled: VersionIdsToStages is "a list of the versions of the secret that have staging labels attached" (API
// reference, DescribeSecret; likewise SecretVersionsToStages of ListSecrets). moto lists the others too.
func hideUnlabelled(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err != nil || !reply.ok() {
			return reply, err
		}
		fields := reply.fields()
		shown := []any{fields}
		if list, ok := fields["SecretList"].([]any); ok {
			shown = list
		}
		for _, secret := range shown {
			if one, ok := secret.(map[string]any); ok {
				dropUnlabelled(one, "VersionIdsToStages")
				dropUnlabelled(one, "SecretVersionsToStages")
			}
		}
		return rewritten(reply, fields), nil
	}
}

func dropUnlabelled(secret map[string]any, field string) {
	versions, _ := secret[field].(map[string]any)
	for id, stages := range versions {
		if list, _ := stages.([]any); len(list) == 0 {
			delete(versions, id)
		}
	}
}

// hideDeprecated: versions without labels are listed only with IncludeDeprecated (API reference, ListSecretVersionIds).
func hideDeprecated(next mend) mend {
	return func(ctx context.Context, call *Call) (*Reply, error) {
		reply, err := next(ctx, call)
		if err != nil || !reply.ok() {
			return reply, err
		}
		fields := reply.fields()
		if versions, ok := fields["Versions"].([]any); ok && call.fields["IncludeDeprecated"] != true {
			fields["Versions"] = slices.DeleteFunc(versions, func(v any) bool {
				version, _ := v.(map[string]any)
				stages, _ := version["VersionStages"].([]any)
				return len(stages) == 0
			})
		}
		if fields["NextToken"] == "" {
			delete(fields, "NextToken")
		}
		return rewritten(reply, fields), nil
	}
}

func rewritten(reply *Reply, fields map[string]any) *Reply {
	reply.setJSON("application/x-amz-json-1.1", fields)
	return reply
}
