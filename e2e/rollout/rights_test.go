package rollout

import (
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// account is the configuration of a service account that has the documented rights and no others.
func (h *house) account(t *testing.T) *rest.Config {
	t.Helper()
	const name = "corednsconfig"
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: "default", Name: name}
	_, err := h.api.CoreV1().ServiceAccounts(account.Namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rights := append(dialect.ReadRights(), dialect.WriteRights(dialect.Corefile, false)...)
	rights = append(rights, dialect.WriteRights(dialect.CustomConfigMap, false)...)
	rights = append(rights, dialect.Right{Namespace: "kube-system", Rules: rollout.Rules()})
	for i, right := range rights {
		meta := metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", name, i), Namespace: right.Namespace}
		if right.Namespace == "" {
			_, err = h.api.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: right.Rules}, metav1.CreateOptions{})
			if err == nil {
				_, err = h.api.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
					ObjectMeta: meta, Subjects: []rbacv1.Subject{account},
					RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
				}, metav1.CreateOptions{})
			}
		} else {
			_, err = h.api.RbacV1().Roles(right.Namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: right.Rules}, metav1.CreateOptions{})
			if err == nil {
				_, err = h.api.RbacV1().RoleBindings(right.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
					ObjectMeta: meta, Subjects: []rbacv1.Subject{account},
					RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
				}, metav1.CreateOptions{})
			}
		}
		if err != nil && !apierrors.IsNotFound(err) { // a namespace this cluster does not have
			t.Fatal(err)
		}
	}
	token, err := h.api.CoreV1().ServiceAccounts(account.Namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &rest.Config{
		Host: h.Config.Host, BearerToken: token.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: h.Config.CAData, CAFile: h.Config.CAFile, ServerName: h.Config.ServerName},
	}
}
