// What the judges of both programs read the examples by.
module openclaw.io/tests/gitops/files

go 1.26.0

require (
	k8s.io/apimachinery v0.36.1
	sigs.k8s.io/yaml v1.6.0
)
