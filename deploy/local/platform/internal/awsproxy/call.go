package awsproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// The services, by the names under which requests are signed.
const (
	EKS            = "eks"
	SecretsManager = "secretsmanager"
	IAM            = "iam"
	STS            = "sts"
)

const largestBody = 4 << 20

// Call is one request, understood as far as log, faults and mends need it.
type Call struct {
	Service, Operation string
	Mutating           bool
	AccessKeyID        string
	Target             string // secret name, association id, namespace/serviceaccount or role name
	Identity           string // namespace/serviceaccount of the association that Target names
	Token              string // the caller's idempotency token

	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	fields       map[string]any // of a JSON body

	associationID string
	from          string // the caller's address
	after         int    // how many calls had been answered when it came, where they are recorded
}

// Reply is what the caller gets.
type Reply struct {
	Status int
	Code   string // the AWS error code
	Header http.Header
	Body   []byte
}

func parse(service string, r *http.Request) (*Call, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, largestBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > largestBody {
		return nil, errors.New("the request's body is larger than any that AWS takes")
	}
	call := &Call{
		Service: service, method: r.Method, path: r.URL.EscapedPath(), query: r.URL.Query(),
		header: r.Header, body: body, AccessKeyID: accessKey(r.Header.Get("Authorization")),
	}
	switch service {
	case EKS:
		call.parseEKS()
	case SecretsManager:
		call.parseSecretsManager()
	default:
		call.parseQuery()
	}
	call.Token, _ = firstOf(call.fields, "clientRequestToken", "ClientRequestToken").(string)
	return call, nil
}

var credential = regexp.MustCompile(`Credential=([^/,\s]+)`)

func accessKey(authorization string) string {
	if found := credential.FindStringSubmatch(authorization); found != nil {
		return found[1]
	}
	return ""
}

var eksRoutes = []struct {
	path       *regexp.Regexp
	operations map[string]string // by method
}{
	{regexp.MustCompile(`^/clusters/[^/]+/pod-identity-associations/?$`),
		map[string]string{"POST": "CreatePodIdentityAssociation", "GET": "ListPodIdentityAssociations"}},
	{regexp.MustCompile(`^/clusters/[^/]+/pod-identity-associations/([^/]+)$`),
		map[string]string{"GET": "DescribePodIdentityAssociation", "POST": "UpdatePodIdentityAssociation", "DELETE": "DeletePodIdentityAssociation"}},
	{regexp.MustCompile(`^/tags/(.+)$`),
		map[string]string{"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}},
	{regexp.MustCompile(`^/clusters/?$`), map[string]string{"GET": "ListClusters", "POST": "CreateCluster"}},
	{regexp.MustCompile(`^/clusters/([^/]+)$`), map[string]string{"GET": "DescribeCluster", "DELETE": "DeleteCluster"}},
}

func (c *Call) parseEKS() {
	_ = json.Unmarshal(c.body, &c.fields)
	c.Operation = c.method + " " + c.path
	c.Mutating = c.method != http.MethodGet
	for _, route := range eksRoutes {
		found := route.path.FindStringSubmatch(c.path)
		if found == nil || route.operations[c.method] == "" {
			continue
		}
		c.Operation = route.operations[c.method]
		if len(found) > 1 {
			c.Target, _ = url.PathUnescape(found[1])
		}
		break
	}
	switch {
	case strings.HasSuffix(c.Operation, "PodIdentityAssociation") && c.Target != "":
		c.associationID = c.Target
	case strings.Contains(c.Target, ":podidentityassociation/"):
		c.associationID = c.Target[strings.LastIndex(c.Target, "/")+1:]
		c.Target = c.associationID
	case c.Operation == "CreatePodIdentityAssociation":
		c.Target = fmt.Sprintf("%v/%v", c.fields["namespace"], c.fields["serviceAccount"])
	case c.Operation == "ListPodIdentityAssociations":
		c.Target = strings.Trim(c.query.Get("namespace")+"/"+c.query.Get("serviceAccount"), "/")
	}
}

var secretReads = map[string]bool{
	"DescribeSecret": true, "GetSecretValue": true, "BatchGetSecretValue": true, "ListSecrets": true,
	"ListSecretVersionIds": true, "GetRandomPassword": true, "GetResourcePolicy": true, "ValidateResourcePolicy": true,
}

func (c *Call) parseSecretsManager() {
	_ = json.Unmarshal(c.body, &c.fields)
	_, c.Operation, _ = strings.Cut(c.header.Get("X-Amz-Target"), ".")
	c.Mutating = !secretReads[c.Operation]
	id, _ := firstOf(c.fields, "SecretId", "Name").(string)
	c.Target = secretName(id)
}

func (c *Call) parseQuery() {
	form, _ := url.ParseQuery(string(c.body))
	c.Operation = form.Get("Action")
	read := strings.HasPrefix(c.Operation, "Get") || strings.HasPrefix(c.Operation, "List") || strings.HasPrefix(c.Operation, "Simulate")
	c.Mutating = c.Service == IAM && !read
	c.Target = form.Get("RoleName")
	if c.Target == "" {
		c.Target = form.Get("RoleArn")
	}
}

// haystack is what a fault rule's match is looked for in.
func (c *Call) haystack() string {
	path, _ := url.PathUnescape(c.path)
	return strings.Join([]string{path, c.query.Encode(), c.Target, c.Identity, string(c.body)}, "\n")
}

func (c *Call) text(field string) string {
	value, _ := c.fields[field].(string)
	return value
}

// with returns the call with another operation and JSON body, for the same service under the same name.
func (c *Call) with(operation string, fields map[string]any) *Call {
	copied := *c
	copied.header = c.header.Clone()
	copied.header.Set("X-Amz-Target", "secretsmanager."+operation)
	copied.Operation, copied.fields = operation, fields
	copied.body, _ = json.Marshal(fields)
	return &copied
}

func firstOf(fields map[string]any, names ...string) any {
	for _, name := range names {
		if value, ok := fields[name]; ok {
			return value
		}
	}
	return nil
}
