package ledger

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// LabelZone is the label of a ledger's ConfigMaps; its value is the UID of the DNSZone.
	LabelZone = "dns.spokedns.io/ledger-of"
	// dataKey is where in a ConfigMap the keys are.
	dataKey = "rrsets.gz"
)

// store is the ConfigMaps.
type store struct {
	client    client.Client
	namespace string
}

// name is that of the ConfigMap of a shard.
func name(zone types.UID, i int) string { return fmt.Sprintf("spokedns-ledger-%s-%x", zone, i) }

func (s store) object(zone types.UID, i int) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.namespace, Name: name(zone, i), Labels: map[string]string{LabelZone: string(zone)},
	}}
}

// get reads a shard; one without a ConfigMap is empty.
func (s store) get(ctx context.Context, zone types.UID, i int) (shard, error) {
	cm := s.object(zone, i)
	err := s.client.Get(ctx, client.ObjectKeyFromObject(cm), cm)
	if apierrors.IsNotFound(err) {
		return shard{}, nil
	}
	if err != nil {
		return shard{}, s.failed("read", zone, i, err)
	}
	stored, ok := cm.BinaryData[dataKey]
	if !ok {
		return shard{}, s.failed("read", zone, i, fmt.Errorf("it has no %s; delete it if what it said is not needed", dataKey))
	}
	keys, err := decode(string(zone), i, stored)
	if err != nil {
		return shard{}, s.failed("read", zone, i, fmt.Errorf("%s is not what was written: %w", dataKey, err))
	}
	return shard{cm.ResourceVersion, keys}, nil
}

// errLost says that a write failed because somebody else wrote or deleted what it was to replace.
var errLost = errors.New("somebody else changed it")

// put writes a shard over the version that it names, and returns it with the new one.
func (s store) put(ctx context.Context, zone types.UID, i int, page shard) (shard, error) {
	stored, err := encode(string(zone), i, page.keys)
	if err != nil {
		return shard{}, s.failed("write", zone, i, err)
	}
	cm := s.object(zone, i)
	cm.BinaryData = map[string][]byte{dataKey: stored}
	if page.version == "" {
		if err = s.client.Create(ctx, cm); apierrors.IsAlreadyExists(err) {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
	} else {
		cm.ResourceVersion = page.version
		if err = s.client.Update(ctx, cm); apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
	}
	if err != nil {
		return shard{}, s.failed("write", zone, i, err)
	}
	return shard{cm.ResourceVersion, page.keys}, nil
}

func (s store) remove(ctx context.Context, zone types.UID, i int) error {
	if err := s.client.Delete(ctx, s.object(zone, i)); client.IgnoreNotFound(err) != nil {
		return s.failed("delete", zone, i, err)
	}
	return nil
}

func (s store) failed(doing string, zone types.UID, i int, err error) error {
	return fmt.Errorf("ledger: %s ConfigMap %s/%s: %w", doing, s.namespace, name(zone, i), err)
}
