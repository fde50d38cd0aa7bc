package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

// IPControllerAccount makes the service account our ipcontroller runs as in a namespace, which is made if it
// is missing, with exactly the Role that docs/wan-ip.md shows and nothing else. It returns the path of a
// kubeconfig file with a token of it.
func (a *APIServer) IPControllerAccount(ctx context.Context, namespace string) (string, error) {
	role, err := DocumentedRole("wan-ip.md", "spokedns-ipcontroller")
	if err != nil {
		return "", err
	}
	return a.Account(ctx, namespace, role)
}

// DocumentedRole is the Role of that name as a page of docs shows it.
func DocumentedRole(page, name string) (*rbacv1.Role, error) {
	text, err := os.ReadFile(filepath.Join(Root(), "docs", page))
	if err != nil {
		return nil, err
	}
	for i, block := range strings.Split(string(text), "```") {
		code, isYAML := strings.CutPrefix(block, "yaml\n")
		if i%2 == 0 || !isYAML {
			continue
		}
		for document := range strings.SplitSeq(code, "\n---\n") {
			role := &rbacv1.Role{}
			if err := yaml.Unmarshal([]byte(document), role); err == nil && role.Kind == "Role" && role.Name == name {
				return role, nil
			}
		}
	}
	return nil, fmt.Errorf("docs/%s shows no Role %s", page, name)
}

// Account makes a service account of the Role's name in a namespace, with that Role, and returns the path of a
// kubeconfig file with a token of it. Called again it replaces the Role.
func (a *APIServer) Account(ctx context.Context, namespace string, role *rbacv1.Role) (string, error) {
	role = role.DeepCopy()
	role.Namespace = namespace
	at := metav1.ObjectMeta{Name: role.Name, Namespace: namespace}
	rbac := rbacv1.SchemeGroupVersion.String()
	role.TypeMeta = metav1.TypeMeta{APIVersion: rbac, Kind: "Role"}
	err := a.Apply(ctx,
		&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: at},
		role,
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbac, Kind: "RoleBinding"},
			ObjectMeta: at,
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: role.Name, Namespace: namespace}},
			RoleRef:    rbacv1.RoleRef{Kind: "Role", APIGroup: rbacv1.GroupName, Name: role.Name},
		})
	if err != nil {
		return "", fmt.Errorf("account %s/%s: %w", namespace, role.Name, err)
	}
	client, err := kubernetes.NewForConfig(a.Config)
	if err != nil {
		return "", err
	}
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, role.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of %s/%s: %w", namespace, role.Name, err)
	}
	path := filepath.Join(a.dir, namespace+"-"+role.Name+".kubeconfig")
	return path, clientcmd.WriteToFile(clientcmdapi.Config{
		// The certificate's name, so that the file also serves who reaches the server by another way.
		Clusters:       map[string]*clientcmdapi.Cluster{"stack": {Server: a.Config.Host, CertificateAuthorityData: a.Config.CAData, TLSServerName: "localhost"}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{role.Name: {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"stack": {Cluster: "stack", AuthInfo: role.Name}},
		CurrentContext: "stack",
	}, path)
}
