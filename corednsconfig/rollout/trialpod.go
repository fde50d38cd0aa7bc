package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// trialLabel tells our pods from all others; a Service of cluster DNS must not find them.
const trialLabel = "corednsconfig.spokedns.io/trial"

// trialPod is a pod that runs a configuration as the cluster's DNS would: its image, its arguments, its service account,
// its mounts, and our files in place of those that come from ConfigMaps. The ConfigMap holds them; its owner is to be
// the pod.
func trialPod(s dialect.Server, configMaps []corev1.ConfigMap, t trial, name string, lifetime time.Duration) (*corev1.Pod, *corev1.ConfigMap, error) {
	i := slices.IndexFunc(s.Template.Containers, func(c corev1.Container) bool { return c.Name == s.Container })
	if i < 0 {
		return nil, nil, fmt.Errorf("no container %q in the pods of cluster DNS", s.Container)
	}
	c := s.Template.Containers[i].DeepCopy()
	c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil
	c.Ports, c.RestartPolicy = nil, nil
	c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	labels := map[string]string{managedBy: dialect.FieldOwner, trialLabel: "true"}
	files := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: labels},
		Data:       map[string]string{}, BinaryData: map[string][]byte{},
	}
	volumes := trialVolumes(s.Template.Volumes, c, configMaps, s.Namespace, filesOf(t), files)
	seconds, grace := max(int64(lifetime.Seconds()), 1), int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{*c}, Volumes: volumes,
			RestartPolicy: corev1.RestartPolicyNever, ActiveDeadlineSeconds: &seconds, TerminationGracePeriodSeconds: &grace,
			ServiceAccountName:           s.Template.ServiceAccountName,
			AutomountServiceAccountToken: s.Template.AutomountServiceAccountToken,
			DNSPolicy:                    s.Template.DNSPolicy, DNSConfig: s.Template.DNSConfig,
			NodeSelector: s.Template.NodeSelector, Tolerations: s.Template.Tolerations,
			ImagePullSecrets: s.Template.ImagePullSecrets, SecurityContext: s.Template.SecurityContext,
			RuntimeClassName: s.Template.RuntimeClassName,
		},
	}, files, nil
}

// filesOf are the files of a trial by absolute path.
func filesOf(t trial) map[string][]byte {
	files := maps.Clone(t.Process.Imports)
	if files == nil {
		files = map[string][]byte{}
	}
	files[t.path()] = t.Corefile
	return files
}

// path is where CoreDNS reads its Corefile.
func (t trial) path() string { return cmp.Or(t.Process.Path, "/etc/coredns/Corefile") }

// trialVolumes are the volumes a container mounts, with what comes from known ConfigMaps taken from ours, into which it is
// put.
func trialVolumes(all []corev1.Volume, c *corev1.Container, configMaps []corev1.ConfigMap, namespace string, files map[string][]byte, ours *corev1.ConfigMap) []corev1.Volume {
	known := func(name string) bool {
		return slices.ContainsFunc(configMaps, func(cm corev1.ConfigMap) bool { return cm.Namespace == namespace && cm.Name == name })
	}
	var volumes []corev1.Volume
	for _, v := range all {
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name }) {
			continue
		}
		v = *v.DeepCopy()
		content := map[string][]byte{}
		switch {
		case v.ConfigMap != nil:
			fill(content, configMaps, namespace, v.ConfigMap.Name, v.ConfigMap.Items)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if source.ConfigMap != nil {
					fill(content, configMaps, namespace, source.ConfigMap.Name, source.ConfigMap.Items)
				}
			}
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name && (v.ConfigMap != nil || v.Projected != nil) {
				overlay(content, m, files)
			}
		}
		if len(content) > 0 {
			source := corev1.LocalObjectReference{Name: ours.Name}
			items := store(content, ours)
			if v.ConfigMap != nil {
				v.ConfigMap.LocalObjectReference, v.ConfigMap.Items, v.ConfigMap.Optional = source, items, nil
			} else {
				v.Projected.Sources = slices.DeleteFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
					return s.ConfigMap != nil && known(s.ConfigMap.Name)
				})
				v.Projected.Sources = append(v.Projected.Sources, corev1.VolumeProjection{
					ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: source, Items: items},
				})
			}
		}
		volumes = append(volumes, v)
	}
	return volumes
}

// fill adds what a volume takes from a ConfigMap, by path in the volume.
func fill(content map[string][]byte, configMaps []corev1.ConfigMap, namespace, name string, items []corev1.KeyToPath) {
	for _, cm := range configMaps {
		if cm.Namespace != namespace || cm.Name != name {
			continue
		}
		paths := map[string]string{}
		for _, item := range items {
			paths[item.Key] = item.Path
		}
		put := func(key string, value []byte) {
			p, ok := paths[key]
			if len(items) == 0 {
				p, ok = key, true
			}
			if ok {
				content[path.Clean(p)] = value
			}
		}
		for key, value := range cm.Data {
			put(key, []byte(value))
		}
		for key, value := range cm.BinaryData {
			put(key, value)
		}
	}
}

// overlay puts the files of a trial that a mount shows into the content of its volume.
func overlay(content map[string][]byte, m corev1.VolumeMount, files map[string][]byte) {
	root := path.Clean(m.MountPath)
	for file, value := range files {
		rest, below := strings.CutPrefix(file, root+"/")
		switch {
		case file == root && m.SubPath != "":
			content[path.Clean(m.SubPath)] = value
		case below:
			content[path.Join(m.SubPath, rest)] = value
		}
	}
}

// store puts the content of a volume into our ConfigMap, whose keys cannot be paths, and says where each belongs.
func store(content map[string][]byte, ours *corev1.ConfigMap) []corev1.KeyToPath {
	var items []corev1.KeyToPath
	for _, p := range slices.Sorted(maps.Keys(content)) {
		key := fmt.Sprintf("file-%d", len(ours.BinaryData))
		ours.BinaryData[key] = content[p]
		items = append(items, corev1.KeyToPath{Key: key, Path: p})
	}
	return items
}
