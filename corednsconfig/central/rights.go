package central

import "strings"

// Role is a role in etcd together with the one user that has it; both have the same name.
type Role struct {
	Name   string
	Grants []Grant
}

// Grant is a right to all keys that begin with Prefix.
type Grant struct {
	Prefix string // ends with "/", so that /skydns/org/example/ is not also /skydns/org/examples/
	Write  bool   // to write and read them; otherwise to read them
}

// CoreDNSRole is the name of the user CoreDNS reads with: "skydns.coredns".
func (l Landscape) CoreDNSRole() string { return l.owner() + "coredns" }

// ClusterRole is the name of the user a cluster's webhook writes with: "skydns.cluster.workload01".
func (l Landscape) ClusterRole(cluster string) string { return l.clusterOwner() + cluster }

// owner begins the names of all roles of the landscape; labels hold no dot, so no other's begin with it.
func (l Landscape) owner() string        { return strings.TrimPrefix(l.Path, "/") + "." }
func (l Landscape) clusterOwner() string { return l.owner() + "cluster." }

// Roles are the roles the landscape needs: CoreDNS's, which reads everything below the path, and one for each
// cluster, which reads and writes what lies below the paths of its zones and sees nothing else.
func (l Landscape) Roles() []Role {
	roles := []Role{{Name: l.CoreDNSRole(), Grants: []Grant{{Prefix: l.Path + "/"}}}}
	for _, c := range l.Clusters {
		role := Role{Name: l.ClusterRole(c.Name)}
		for _, zone := range l.ZonesOf(c) {
			role.Grants = append(role.Grants, Grant{Prefix: l.keyPath(zone) + "/", Write: true})
		}
		roles = append(roles, role)
	}
	return roles
}
