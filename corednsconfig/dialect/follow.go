package dialect

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A process is what a container's specification says of the program in it.
type process struct {
	container corev1.Container
	volumes   []corev1.Volume
}

// dnsProcess is the container of a pod that serves DNS: CoreDNS, its node-local form, or kube-dns.
func dnsProcess(spec corev1.PodSpec) (process, bool) {
	for _, serves := range []func(process) bool{
		func(p process) bool { return p.isNodeCache() },
		func(p process) bool { _, ok := p.flag("conf"); return ok },
		func(p process) bool { return p.isKubeDNS() },
		// CoreDNS without -conf reads the file Corefile in its working directory.
		func(p process) bool { return strings.Contains(imageName(p.container.Image), "coredns") },
	} {
		for _, c := range spec.Containers {
			if p := (process{c, spec.Volumes}); serves(p) {
				return p, true
			}
		}
	}
	return process{}, false
}

// like reports whether two processes read the same configuration with the same program.
func (p process) like(q process) bool {
	return p.container.Image == q.container.Image && p.container.WorkingDir == q.container.WorkingDir &&
		slices.Equal(p.container.Command, q.container.Command) && slices.Equal(p.container.Args, q.container.Args) &&
		reflect.DeepEqual(p.container.Env, q.container.Env) && reflect.DeepEqual(p.mounts(), q.mounts())
}

// isNodeCache: it says where it listens, and makes its Corefile from a base and from kube-dns' ConfigMap.
func (p process) isNodeCache() bool {
	_, local := p.flag("localip")
	return local
}

// isKubeDNS: the program that watches the API server for dnsmasq, with its settings from a directory.
func (p process) isKubeDNS() bool {
	_, dir := p.flag("config-dir")
	_, domain := p.flag("domain")
	return dir && domain
}

// flag finds the value of a flag in any of the spellings that Go's flag package accepts.
func (p process) flag(name string) (string, bool) {
	words := slices.Concat(p.container.Command, p.container.Args)
	for i, w := range words {
		flag, dashed := strings.CutPrefix(w, "-")
		flag = strings.TrimPrefix(flag, "-")
		if !dashed {
			continue
		}
		if flag == name && i+1 < len(words) {
			return words[i+1], true
		}
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// corefilePath is the file that the process is told to read, as an absolute path.
func (p process) corefilePath() (string, error) {
	file := "Corefile"
	if p.isNodeCache() {
		file = "/etc/coredns/Corefile.base"
		if base, ok := p.flag("basecorefile"); ok {
			file = base
		}
	} else if conf, ok := p.flag("conf"); ok {
		file = conf
	}
	if strings.Contains(file, "$(") {
		return "", fmt.Errorf("the Corefile's path %q hangs on a variable", file)
	}
	if !path.IsAbs(file) {
		file = path.Join("/", p.container.WorkingDir, file)
	}
	return path.Clean(file), nil
}

// port is -dns.port; 53 if it is not given.
func (p process) port() (int, error) {
	for _, name := range []string{"dns.port", "p"} {
		if text, ok := p.flag(name); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, fmt.Errorf("-%s %q: want a port", name, text)
			}
			return n, nil
		}
	}
	return 53, nil
}

// A mounted file or directory of a ConfigMap.
type mount struct {
	configMap string
	// items maps keys to paths below the mount; nil: each key is a file of its name.
	items []corev1.KeyToPath
	// at is the path of the mount in the container, sub the path in the volume that is mounted there; "" is all of it.
	at, sub string
}

// mounts are the ConfigMaps that the container sees.
func (p process) mounts() []mount {
	var all []mount
	for _, vm := range p.container.VolumeMounts {
		at := path.Clean(vm.MountPath)
		sub := vm.SubPath
		if vm.SubPathExpr != "" {
			continue
		}
		for _, v := range p.volumes {
			if v.Name != vm.Name {
				continue
			}
			if v.ConfigMap != nil {
				all = append(all, mount{v.ConfigMap.Name, v.ConfigMap.Items, at, sub})
			}
			if v.Projected == nil || isToken(v.Projected) {
				continue
			}
			for _, source := range v.Projected.Sources {
				if source.ConfigMap != nil {
					all = append(all, mount{source.ConfigMap.Name, source.ConfigMap.Items, at, sub})
				}
			}
		}
	}
	return all
}

// isToken: the volume with which every pod reaches the API server. It holds a ConfigMap too, with certificates.
func isToken(v *corev1.ProjectedVolumeSource) bool {
	return slices.ContainsFunc(v.Sources, func(s corev1.VolumeProjection) bool { return s.ServiceAccountToken != nil })
}

// covered reports whether what the container sees at a path comes from ConfigMaps, so that it can be known.
func (p process) covered(file string) bool {
	return slices.ContainsFunc(p.mounts(), func(m mount) bool { return within(file, m.at) })
}

// key is the key of the ConfigMap that the mount shows at a path.
func (m mount) key(file string) (string, bool) {
	if m.sub != "" {
		// The mount is one file, or a directory below the volume.
		if file == m.at {
			return m.itemKey(m.sub)
		}
		if within(file, m.at) {
			return m.itemKey(path.Join(m.sub, strings.TrimPrefix(file, m.at+"/")))
		}
		return "", false
	}
	if !within(file, m.at) {
		return "", false
	}
	return m.itemKey(strings.TrimPrefix(strings.TrimPrefix(file, m.at), "/"))
}

func (m mount) itemKey(relative string) (string, bool) {
	if m.items == nil {
		return relative, relative != "" && !strings.Contains(relative, "/")
	}
	for _, item := range m.items {
		if path.Clean(item.Path) == relative {
			return item.Key, true
		}
	}
	return "", false
}

// files are the contents of a ConfigMap by their paths in the container.
func (m mount) files(cm *corev1.ConfigMap) map[string][]byte {
	files := map[string][]byte{}
	if cm == nil {
		return files
	}
	add := func(relative string, content []byte) {
		switch {
		case m.sub == "":
			files[path.Join(m.at, relative)] = content
		case relative == m.sub:
			files[m.at] = content
		case within(relative, m.sub):
			files[path.Join(m.at, strings.TrimPrefix(relative, m.sub))] = content
		}
	}
	for key, text := range cm.Data {
		for _, relative := range m.paths(key) {
			add(relative, []byte(text))
		}
	}
	for key, content := range cm.BinaryData {
		for _, relative := range m.paths(key) {
			add(relative, content)
		}
	}
	return files
}

func (m mount) paths(key string) []string {
	if m.items == nil {
		return []string{key}
	}
	var all []string
	for _, item := range m.items {
		if item.Key == key {
			all = append(all, path.Clean(item.Path))
		}
	}
	return all
}

func within(file, dir string) bool {
	return file == dir || dir == "/" || strings.HasPrefix(file, dir+"/")
}

// mountedConfigMaps are the ConfigMaps that the DNS container of a pod sees, each once.
func mountedConfigMaps(p corev1.Pod) []string {
	proc, ok := dnsProcess(p.Spec)
	if !ok {
		return nil
	}
	var names []string
	for _, m := range proc.mounts() {
		if !slices.Contains(names, m.configMap) {
			names = append(names, m.configMap)
		}
	}
	return names
}

// imageName is the last part of an image's repository, without tag and digest: "hardened-coredns".
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	name, _, _ := strings.Cut(image, ":")
	return name
}

// imageTag is the tag of an image; "" if it has none.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}
