package instance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// InfoFile is the name of the description of a running instance inside its directory.
const InfoFile = "platform.json"

// Info is what a user of an instance has to know; it is written to platform.json once all of it is true.
type Info struct {
	Dir          string            `json:"dir"`
	Pid          int               `json:"pid"`
	Program      string            `json:"program"` // this program, for `guard` and `kubeconfig` without the shell entrance
	Kubeconfig   string            `json:"kubeconfig"`
	Server       string            `json:"server"`
	CA           string            `json:"ca"` // PEM
	Kubectl      string            `json:"kubectl"`
	AuditLog     string            `json:"auditLog"`
	StorageClass string            `json:"storageClass"`
	Gateway      Gateway           `json:"gateway"`
	GatewayAPI   string            `json:"gatewayAPI"` // directory with the CRDs of the whole standard channel
	Optional     string            `json:"optional"`   // directory with the CRDs that a cluster may do without
	AWS          AWS               `json:"aws"`
	ControlURL   string            `json:"controlURL"`
	Python       string            `json:"python"` // an interpreter that has boto3
	Pids         map[string]int    `json:"pids"`
	Logs         map[string]string `json:"logs"`
}

// Gateway names the Gateway that tenants' routes attach to.
type Gateway struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Where it listens, if it moves traffic: plainly, and with TLS by a certificate of the instance's CA.
	Address       string `json:"address,omitempty"`
	SecureAddress string `json:"secureAddress,omitempty"`
}

// AWS is how the emulated account is reached.
type AWS struct {
	Region        string    `json:"region"`
	AccountID     string    `json:"accountId"`
	ClusterName   string    `json:"clusterName"`
	ClusterARN    string    `json:"clusterArn"`
	TenantRoleARN string    `json:"tenantRoleArn"`
	Endpoints     Endpoints `json:"endpoints"`
}

// Endpoints holds one URL per service.
type Endpoints struct {
	EKS            string `json:"eks"`
	SecretsManager string `json:"secretsManager"`
	IAM            string `json:"iam"`
	STS            string `json:"sts"`
}

// ReadInfo reads the description of the instance in dir.
func ReadInfo(dir string) (Info, error) {
	var info Info
	content, err := os.ReadFile(filepath.Join(dir, InfoFile))
	if err != nil {
		return info, fmt.Errorf("no ready instance in %s (start one with `platform.sh up` or `run`): %w", dir, err)
	}
	return info, json.Unmarshal(content, &info)
}

// write makes the description appear in one step: whoever waits for the file never reads half of it.
func (i Info) write() error {
	content, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	scratch := filepath.Join(i.Dir, InfoFile+".new")
	if err := os.WriteFile(scratch, append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(scratch, filepath.Join(i.Dir, InfoFile))
}
