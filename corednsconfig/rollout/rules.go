package rollout

import rbacv1 "k8s.io/api/rbac/v1"

// Rules are the rights the engine needs in the namespace of the cluster's DNS besides those of its dialect, for a Role.
// Names of what is created cannot be limited; trial pods run under the service account of cluster DNS.
func Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		// The memory.
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{SecretName}, Verbs: []string{"get", "update", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
		// Trial pods with their files, and replicas that a rollback starts again.
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "create", "delete"}},
		// Metrics and DNS of replicas and trial pods.
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create"}},
	}
}
