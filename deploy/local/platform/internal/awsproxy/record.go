package awsproxy

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// OperatorKey is the access key under which the tests run the operator.
const OperatorKey = "operator"

// Names of what a Recorder writes.
const (
	RequestsFile = "aws-requests.jsonl"
	ValuesFile   = "generated-values" // readable by nobody else; whoever searches for them removes it
)

// Recorder keeps what a test run is examined by afterwards: each request, with every secret value replaced by as many
// letters, and apart from it the values that the operator generated, to search everything else for them.
type Recorder struct {
	mu               sync.Mutex
	requests, values *os.File
	lines            int
}

// NewRecorder writes into a directory.
func NewRecorder(dir string) (*Recorder, error) {
	requests, err := os.OpenFile(filepath.Join(dir, RequestsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	values, err := os.OpenFile(filepath.Join(dir, ValuesFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(err, requests.Close())
	}
	return &Recorder{requests: requests, values: values}, nil
}

// request is one line of RequestsFile.
type request struct {
	Time        time.Time           `json:"time"`  // when the answer went out
	After       int                 `json:"after"` // how many had been answered when it came
	AccessKeyID string              `json:"accessKeyId"`
	Service     string              `json:"service"`
	Operation   string              `json:"operation"`
	Identity    string              `json:"identity,omitempty"` // namespace/serviceaccount of the association that is meant
	Method      string              `json:"method"`
	Path        string              `json:"path"`
	Query       map[string][]string `json:"query,omitempty"`
	Header      map[string]string   `json:"header,omitempty"`
	Body        any                 `json:"body,omitempty"` // of JSON
	Form        map[string][]string `json:"form,omitempty"` // of the query protocol
	Unreadable  bool                `json:"unreadable,omitempty"`
	Status      int                 `json:"status"` // 0: the connection was dropped
	ErrorCode   string              `json:"errorCode,omitempty"`
	Done        bool                `json:"done"` // it succeeded, whatever the caller was told
	Fault       string              `json:"fault,omitempty"`
}

// answered says how many requests were written down so far.
func (r *Recorder) answered() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

// value takes note of the value that a request carries, before anything can become of it.
func (r *Recorder) value(call *Call) error {
	if r == nil || call.AccessKeyID != OperatorKey {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, field := range valueFields {
		if value := call.text(field); value != "" {
			if _, err := r.values.WriteString(value + "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// request writes one line.
func (r *Recorder) request(call *Call, reply *Reply, fault string, done bool) error {
	if r == nil {
		return nil
	}
	line := request{
		Time: time.Now().UTC(), After: call.after, AccessKeyID: call.AccessKeyID, Service: call.Service, Operation: call.Operation,
		Identity: call.Identity, Method: call.method, Path: call.path, Query: call.query, Header: map[string]string{},
		Done: done, Fault: fault,
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target"} {
		if value := call.header.Get(name); value != "" {
			line.Header[name] = value
		}
	}
	if reply != nil {
		line.Status, line.ErrorCode = reply.Status, reply.Code
	}
	line.Body, line.Form, line.Unreadable = call.shownBody()
	content, err := json.Marshal(line)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	_, err = r.requests.Write(append(content, '\n'))
	return err
}

var valueFields = []string{"SecretString", "SecretBinary"}

// shownBody is the body without any value. What cannot be read is not shown: it may hold one.
func (c *Call) shownBody() (body any, form map[string][]string, unreadable bool) {
	switch {
	case len(c.body) == 0:
		return nil, nil, false
	case c.Service == IAM || c.Service == STS:
		form, err := url.ParseQuery(string(c.body))
		return nil, form, err != nil
	}
	var fields map[string]any
	if json.Unmarshal(c.body, &fields) != nil {
		return nil, nil, true
	}
	for _, field := range valueFields {
		if value, ok := fields[field].(string); ok {
			fields[field] = strings.Repeat("A", utf8.RuneCountInString(value))
		}
	}
	return fields, nil, false
}
