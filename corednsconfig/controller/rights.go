package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/install"
)

// asked are the rights for an install as they were worked out last, for one cluster.
type asked struct {
	digest string
	rights []install.Right
	joined bool // with those of the one before
}

// Rights are what is needed in a cluster for external-dns, for fleet.Options. While something is to go they are not known,
// because its values may be: then what was asked for stays. Those in the install's own namespace come once it is there.
// It is called while the fleet is listed, and by many goroutines.
func (c *Controller) Rights(cluster fleet.Cluster) (rights []install.Right, known bool) {
	if c.opts.Installer == nil {
		return nil, true
	}
	for _, b := range c.desk.aged() {
		rec := b.clusters[cluster.ID]
		if rec != nil && rec.ExternalDNS != nil && (rec.ExternalDNS.Digest == "" || rec.LeavingSince != nil) {
			return nil, false
		}
		h := c.desk.installs.hopes(b, cluster)
		if !h.wished {
			continue
		}
		if h.err != nil {
			return nil, false
		}
		all, err := c.rightsFor(cluster.ID, h, rec)
		if err != nil {
			return nil, false // nothing will be installed with them either
		}
		if rec == nil || rec.ExternalDNS == nil || !rec.ExternalDNS.NamespaceReady {
			all = install.Whole(h.wish, all)
		}
		return all, true
	}
	return nil, true
}

// rightsFor works them out once for each wish. Until a new one is in the cluster, those for the one before are kept: what
// that made and the new one does not is to be deleted.
func (c *Controller) rightsFor(id string, h hopes, rec *v1alpha1.ClusterStatus) ([]install.Right, error) {
	c.mu.Lock()
	last, there := c.rights[id]
	c.mu.Unlock()
	settled := rec != nil && meta.IsStatusConditionTrue(rec.Conditions, v1alpha1.ExternalDNSInstalled) && rec.ExternalDNS != nil && rec.ExternalDNS.Digest == h.digest
	if there && last.digest == h.digest && (!settled || !last.joined) {
		return last.rights, nil
	}
	rights, err := c.opts.Installer.Rights(context.Background(), h.wish)
	if err != nil {
		return nil, err
	}
	join := there && !settled
	if join {
		rights = install.Join(last.rights, rights)
	}
	c.mu.Lock()
	c.rights[id] = asked{h.digest, rights, join}
	c.mu.Unlock()
	return rights, nil
}
