package argocd

const (
	top      = "../../.."
	gitops   = top + "/deploy/gitops"
	examples = gitops + "/argocd"
)
