package dialect

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

func unsupported(r Reason, format string, args ...any) *Unsupported {
	return &Unsupported{Reason: r, Text: fmt.Sprintf(format, args...)}
}

// running are the pods that serve or are about to.
func running(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
}

// serverOf follows pods to the Corefile that they read. All have to lead to the same.
func serverOf(f Facts, pods []corev1.Pod) (*Server, error) {
	var server *Server
	var first process
	for _, pod := range pods {
		proc, ok := dnsProcess(pod.Spec)
		// There may be a cache on each of thousands of nodes, all alike.
		if ok && server != nil && proc.like(first) {
			server.Pods = append(server.Pods, pod)
			continue
		}
		next, err := serverOfPod(f, pod)
		if err != nil {
			return nil, err
		}
		if server == nil {
			server, first = next, proc
			continue
		}
		if next.Source != server.Source {
			return nil, unsupported(Ambiguous, "pod %s reads key %s of ConfigMap %s, pod %s key %s of %s: all have to read the same",
				server.Pods[0].Name, server.Source.Key, server.Source.Name, pod.Name, next.Source.Key, next.Source.Name)
		}
		server.Pods = append(server.Pods, pod)
		// While one image follows another, the older has to understand the block too.
		if older(next.Site.Version, server.Site.Version) {
			server.Site.Version = next.Site.Version
		}
	}
	return server, nil
}

func older(v, w corefile.Version) bool { return !v.AtLeast(w) && w.Known() }

func serverOfPod(f Facts, pod corev1.Pod) (*Server, error) {
	proc, ok := dnsProcess(pod.Spec)
	if !ok {
		return nil, unsupported(UnknownServer, "pod %s/%s runs neither CoreDNS nor kube-dns, as far as its arguments tell", pod.Namespace, pod.Name)
	}
	s := &Server{
		Namespace: pod.Namespace,
		Pods:      []corev1.Pod{pod},
		Template:  *pod.Spec.DeepCopy(),
		Container: proc.container.Name,
	}
	if proc.isKubeDNS() {
		return s, nil
	}
	if err := s.followCorefile(f, proc); err != nil {
		return nil, err
	}
	return s, s.readCorefile(f, proc)
}

// followCorefile goes from the arguments through the mounts to the ConfigMap.
func (s *Server) followCorefile(f Facts, proc process) error {
	file, err := proc.corefilePath()
	if err != nil {
		return unsupported(UnknownServer, "pod %s/%s: %v", s.Namespace, s.Pods[0].Name, err)
	}
	mounts := proc.mounts()
	// The innermost mount is the one that shows.
	slices.SortStableFunc(mounts, func(a, b mount) int { return cmp.Compare(len(b.at), len(a.at)) })
	for _, m := range mounts {
		key, ok := m.key(file)
		if !ok {
			continue
		}
		s.Source = Source{s.Namespace, m.configMap, key}
		s.Reload.Watched = m.sub == ""
		cm := f.configMap(s.Namespace, m.configMap)
		if slices.Contains(f.Hidden, s.Namespace+"/"+m.configMap) {
			return unsupported(UnknownServer, "the right to get ConfigMap %s/%s is missing", s.Namespace, m.configMap)
		}
		if cm == nil {
			return unsupported(UnknownServer, "pod %s reads %s from ConfigMap %s/%s, which is not there", s.Pods[0].Name, file, s.Namespace, m.configMap)
		}
		text, ok := cm.Data[key]
		if !ok {
			return unsupported(BadCorefile, "ConfigMap %s/%s has no text under key %q, which pod %s reads", s.Namespace, m.configMap, key, s.Pods[0].Name)
		}
		s.Corefile = []byte(text)
		s.Process = corefile.Process{Path: file}
		return nil
	}
	return unsupported(UnknownServer, "pod %s/%s reads %s, which does not come from a ConfigMap", s.Namespace, s.Pods[0].Name, file)
}

// readCorefile fills in what the text says.
func (s *Server) readCorefile(f Facts, proc process) error {
	var err error
	if s.Process.Port, err = proc.port(); err != nil {
		return unsupported(UnknownServer, "pod %s/%s: %v", s.Namespace, s.Pods[0].Name, err)
	}
	if made, ok := proc.flag("conf"); ok && proc.isNodeCache() {
		s.Process.Path = made
	}
	if s.Process.Imports, err = proc.imports(f, s.Namespace, s.Corefile, s.Process); err != nil {
		return badCorefile(s.Source, err)
	}
	s.Process.Env = proc.env(append(slices.Collect(values(s.Process.Imports)), s.Corefile))
	file, err := corefile.Parse(s.Corefile, s.Process)
	if err != nil {
		return badCorefile(s.Source, err)
	}
	if s.Site, err = file.Site(); err != nil {
		return badCorefile(s.Source, err)
	}
	if strings.Contains(imageName(proc.container.Image), "coredns") {
		if v, err := corefile.ParseVersion(imageTag(proc.container.Image)); err == nil {
			s.Site.Version = v
		}
	}
	s.MetricsPort = metricsPort(s.Site.Prometheus)
	s.readReload(proc.isNodeCache())
	return nil
}

func badCorefile(at Source, err error) error {
	return unsupported(BadCorefile, "ConfigMap %s/%s key %s, as it is without us: %v", at.Namespace, at.Name, at.Key, err)
}

func values(m map[string][]byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// imports are the files of ConfigMaps around the Corefile; nil if it imports from elsewhere.
func (p process) imports(f Facts, namespace string, src []byte, at corefile.Process) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, m := range p.mounts() {
		for name, content := range m.files(f.configMap(namespace, m.configMap)) {
			files[name] = content
		}
	}
	// First without the files, for their patterns; then with them, for the patterns in them.
	for _, known := range []map[string][]byte{nil, files} {
		at.Imports = known
		file, err := corefile.Parse(src, at)
		if err != nil {
			return nil, err
		}
		for _, pattern := range file.Imports() {
			if !p.covered(path.Dir(pattern.Pattern)) {
				return nil, nil
			}
		}
	}
	return files, nil
}

// env is what is known of the environment, if that is all that the files refer to. The image and the kubelet add variables
// that nobody can see from outside, so a missing one is not known to be empty.
func (p process) env(files [][]byte) map[string]string {
	env := map[string]string{}
	for _, e := range p.container.Env {
		if e.ValueFrom == nil && !strings.Contains(e.Value, "$(") {
			env[e.Name] = e.Value
		}
	}
	for _, src := range files {
		for _, name := range references(string(src)) {
			if _, ok := env[name]; !ok {
				return nil
			}
		}
	}
	return env
}

// references are the names in {$NAME} and {%NAME%}.
func references(text string) []string {
	var names []string
	for _, mark := range [][2]string{{"{$", "}"}, {"{%", "%}"}} {
		for _, after := range strings.Split(text, mark[0])[1:] {
			name, _, _ := strings.Cut(after, mark[1])
			names = append(names, name)
		}
	}
	return names
}

// metricsPort is the port of a prometheus address, if it can be asked at the pod's own address.
func metricsPort(address string) int {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return 0
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

// CoreDNS's reload plugin looks every 30 s, and up to 7.5 s earlier or later, unless told otherwise.
const (
	defaultReload = 30 * time.Second
	defaultJitter = 15 * time.Second
	// The node-local cache looks this often whether it has to make its Corefile anew.
	nodeCachePeriod = 10 * time.Second
)

func (s *Server) readReload(nodeCache bool) {
	var found *line
	for _, src := range append(slices.Collect(values(s.Process.Imports)), s.Corefile) {
		for _, l := range linesOf(src) {
			// In an imported file the line may stand outside of braces.
			for _, l := range append(l.inner, l) {
				if l.words[0] == "reload" {
					found = &l
				}
			}
		}
	}
	if found == nil {
		s.Reload = Reload{}
		return
	}
	s.Reload.Interval, s.Reload.Jitter = defaultReload, defaultJitter
	if nodeCache {
		defer func() { s.Reload.Interval += nodeCachePeriod }()
	}
	for i, to := range []*time.Duration{&s.Reload.Interval, &s.Reload.Jitter} {
		if len(found.words) > i+1 {
			if d, err := time.ParseDuration(found.words[i+1]); err == nil {
				*to = d
			}
		}
	}
	// As CoreDNS does, when the jitter is too long for the interval.
	s.Reload.Jitter = min(s.Reload.Jitter, s.Reload.Interval/2)
}

func clusterIPs(s *corev1.Service) []netip.Addr {
	if s == nil {
		return nil
	}
	return addresses(append(slices.Clone(s.Spec.ClusterIPs), s.Spec.ClusterIP))
}

// addresses are those of the texts that are one, each once.
func addresses(texts []string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}
