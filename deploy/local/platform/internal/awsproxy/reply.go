package awsproxy

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// fail renders an AWS error as the call's protocol has it: REST-JSON for EKS, JSON 1.1 for Secrets Manager, the query
// protocol's XML for IAM and STS.
func (c *Call) fail(status int, code, message string) *Reply {
	reply := &Reply{Status: status, Code: code, Header: http.Header{}}
	switch c.Service {
	case EKS:
		reply.Header.Set("X-Amzn-Errortype", code)
		reply.setJSON("application/json", map[string]any{"message": message})
	case SecretsManager:
		reply.setJSON("application/x-amz-json-1.1", map[string]any{"__type": code, "Message": message})
	default:
		var escaped bytes.Buffer
		_ = xml.EscapeText(&escaped, []byte(message))
		reply.Header.Set("Content-Type", "text/xml")
		reply.Body = fmt.Appendf(nil, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"+
			"<RequestId>%s</RequestId></ErrorResponse>", code, escaped.String(), requestID())
	}
	return reply
}

func (c *Call) succeed(fields map[string]any) *Reply {
	reply := &Reply{Status: http.StatusOK, Header: http.Header{}}
	kind := "application/json"
	if c.Service == SecretsManager {
		kind = "application/x-amz-json-1.1"
	}
	reply.setJSON(kind, fields)
	return reply
}

func (r *Reply) setJSON(kind string, fields any) {
	r.Header.Set("Content-Type", kind)
	r.Body, _ = json.Marshal(fields)
}

func (r *Reply) ok() bool { return r.Status < 300 }

// fields reads a JSON body.
func (r *Reply) fields() map[string]any {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.UseNumber() // timestamps must come out as they went in
	_ = decoder.Decode(&fields)
	return fields
}

func (r *Reply) write(w http.ResponseWriter) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	if w.Header().Get("X-Amzn-Requestid") == "" {
		w.Header().Set("X-Amzn-Requestid", requestID())
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(r.Body)))
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// errorCode finds the code in an emulator's error.
func errorCode(service string, reply *Reply) string {
	if reply.ok() {
		return ""
	}
	if service == IAM || service == STS {
		_, rest, _ := strings.Cut(string(reply.Body), "<Code>")
		code, _, _ := strings.Cut(rest, "</Code>")
		return code
	}
	code := reply.Header.Get("X-Amzn-Errortype")
	if code == "" {
		code, _ = firstOf(reply.fields(), "__type", "code").(string)
	}
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndex(code, "#")+1:]
}
