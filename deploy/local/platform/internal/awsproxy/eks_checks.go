package awsproxy

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func invalidParameter(call *Call, message string) *Reply {
	return call.fail(http.StatusBadRequest, "InvalidParameterException", message)
}

// checkSessionPolicy: "policy: … you must set disableSessionTags to true" (EKS API reference, Create- and
// UpdatePodIdentityAssociation).
func checkSessionPolicy(call *Call) *Reply {
	if call.text("policy") != "" && call.fields["disableSessionTags"] != true {
		return invalidParameter(call, "disableSessionTags must be true when a policy is given")
	}
	return nil
}

const mostTags = 50

// checkTags: at most 50 tags, keys of 1–128 and values of at most 256 characters, none under "aws:" (EKS API reference,
// TagResource and the service model's TagMap).
func checkTags(call *Call, tags map[string]string) *Reply {
	if len(tags) > mostTags {
		return tagRefusal(call, fmt.Sprintf("a resource may have %d tags, not %d", mostTags, len(tags)))
	}
	for key, value := range tags {
		if key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256 {
			return tagRefusal(call, "tag keys have 1 to 128 characters, values up to 256: "+key)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return tagRefusal(call, "tag keys that begin with aws: are reserved: "+key)
		}
	}
	return nil
}

// tagRefusal: the tagging calls have error codes of their own in EKS's service model.
func tagRefusal(call *Call, message string) *Reply {
	if call.Operation == "TagResource" {
		return call.fail(http.StatusBadRequest, "BadRequestException", message)
	}
	return invalidParameter(call, message)
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/(?:[^\s]*/)?([\w+=,.@-]{1,64})$`)

// checkRole: an association's role must exist and trust pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession
// (EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity"); EKS looks at it when the
// association is made. IAM is moto's.
func (p *Proxy) checkRole(ctx context.Context, call *Call) (*Reply, error) {
	arn := call.text("roleArn")
	if arn == "" {
		return nil, nil // the emulator says that it is required
	}
	found := roleARN.FindStringSubmatch(arn)
	if found == nil {
		return invalidParameter(call, "Role ARN is not valid: "+arn), nil
	}
	actual, trust, err := p.getRole(ctx, found[1])
	switch {
	case err != nil:
		return nil, err
	case actual != arn:
		return invalidParameter(call, "Role provided in the request does not exist."), nil
	case !trustsPods(trust):
		return invalidParameter(call, "Trust policy of role "+arn+" is invalid: pods.eks.amazonaws.com needs sts:AssumeRole and sts:TagSession."), nil
	}
	return nil, nil
}

func (p *Proxy) getRole(ctx context.Context, name string) (arn, trust string, err error) {
	reply, err := p.forward(ctx, p.ownIAM(url.Values{"Action": {"GetRole"}, "RoleName": {name}}))
	if err != nil || reply.Status == http.StatusNotFound {
		return "", "", err
	}
	var answer struct {
		Role struct {
			Arn                      string
			AssumeRolePolicyDocument string
		} `xml:"GetRoleResult>Role"`
	}
	if err := xml.Unmarshal(reply.Body, &answer); err != nil {
		return "", "", fmt.Errorf("reading IAM's answer about role %s: %w", name, err)
	}
	trust, err = url.QueryUnescape(answer.Role.AssumeRolePolicyDocument)
	return answer.Role.Arn, trust, err
}

// ownIAM is a call of the proxy's own to IAM, in the one version that its API has.
func (p *Proxy) ownIAM(form url.Values) *Call {
	form.Set("Version", "2010-05-08")
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return p.own(IAM, http.MethodPost, "/", nil, header, []byte(form.Encode()))
}

// trustsPods reads as much of a trust policy as EKS is known to look at: who may do what, not under which conditions.
func trustsPods(document string) bool {
	var policy struct {
		Statement oneOrMany[struct {
			Effect    string
			Principal struct{ Service oneOrMany[string] }
			Action    oneOrMany[string]
		}]
	}
	if json.Unmarshal([]byte(document), &policy) != nil {
		return false
	}
	allowed := map[string]bool{}
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || !slices.Contains(s.Principal.Service, "pods.eks.amazonaws.com") {
			continue
		}
		for _, action := range s.Action {
			allowed[strings.ToLower(action)] = true
		}
	}
	return allowed["sts:*"] || allowed["sts:assumerole"] && allowed["sts:tagsession"]
}

// oneOrMany is IAM's habit of writing a list of one without brackets.
type oneOrMany[T any] []T

func (o *oneOrMany[T]) UnmarshalJSON(content []byte) error {
	var many []T
	if json.Unmarshal(content, &many) == nil {
		*o = many
		return nil
	}
	var one T
	if err := json.Unmarshal(content, &one); err != nil {
		return err
	}
	*o = oneOrMany[T]{one}
	return nil
}
