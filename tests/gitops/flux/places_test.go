package flux

const (
	top      = "../../.."
	gitops   = top + "/deploy/gitops"
	examples = gitops + "/flux"
)
