# spokedns: everything a person or a machine runs here. `make help` lists it.

.DEFAULT_GOAL := help
SHELL         := /bin/bash
.SHELLFLAGS   := -euo pipefail -c
MAKEFLAGS     += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Our programs: the directories that have a main.go.
PROGRAMS := $(patsubst %/main.go,%,$(wildcard */main.go))

# Programs the tests and the demo run against; each is pinned by its own module in e2e/tools.
PARTS := etcd coredns external-dns-v0.21 external-dns-v0.20 controller-gen helm promtool kubeconform
# Kubernetes: one module, one build, several programs.
KUBE  := kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl
LINT  := golangci-lint

# command:package, for what Debian brings.
PACKAGES := named:bind9 dig:bind9-dnsutils nsupdate:bind9-dnsutils knotd:knot pdns_server:pdns-server \
            sqlite3:sqlite3 kubectl:kubernetes-client gcc:gcc git:git chromium:chromium \
            ip:iproute2 containerd:containerd runc:runc /usr/lib/cni/ptp:containernetworking-plugins \
            iptables:iptables nft:nftables buildah:buildah

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## Show this list
	@echo "spokedns: DNS for Kubernetes behind hubs, firewalls and changing addresses"
	@echo
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: tools packages ## Show the main job on real parts (ONCE=1: end after the table; WAN=1: a site whose address changes; FLEET=1: two clusters; ZONES=1: zones as objects; CLUSTER=1: with running pods, by helm)
	$(call say,the demo)
	@cd e2e && go build -o ../bin/demo ./demo
	@exec bin/demo $(if $(WAN),-wan) $(if $(FLEET),-fleet) $(if $(ZONES),-zones) $(if $(CLUSTER),-cluster) $(if $(ONCE),-once)

.PHONY: test
test: tools packages build check unit e2e demo-once ## Set up, then check and test everything

.PHONY: build
build: $(PROGRAMS:%=bin/%) ## Build the programs into bin/

.PHONY: $(PROGRAMS:%=bin/%)
$(PROGRAMS:%=bin/%): bin/%:
	$(call say,build $* $(VERSION))
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./$*

REGISTRY ?= registry.example.org/spokedns
ARCH     := $(shell go env GOARCH)
.PHONY: images
images: packages ## Build the images into bin/images (REGISTRY=host/path; ARCH="amd64 arm64"; PUSH=1: push them)
	$(call say,images)
	@cd e2e && go run ./images/make -registry '$(REGISTRY)' -arch '$(ARCH)' $(if $(PUSH),-push)

.PHONY: unit
unit: ## Unit, property and fuzz-corpus tests, with the race detector
	$(call say,unit tests)
	@go test -race ./...

.PHONY: e2e
e2e: tools packages build ## Tests on real API server, etcd, CoreDNS, BIND, Knot, PowerDNS, external-dns
	$(call say,tests on real parts)
	@cd e2e && go vet ./... && go test -count=1 -timeout 45m $$(go list ./... | grep -v '/e2e/release$$')
	$(call say,the charts in a real cluster)
	@cd e2e && go test -count=1 -timeout 20m ./release

.PHONY: demo-once
demo-once:
	@$(MAKE) demo ONCE=1
	@$(MAKE) demo ONCE=1 WAN=1
	@$(MAKE) demo ONCE=1 ZONES=1

.PHONY: check
check: .tools/$(LINT) ## Format, lint, import rules, tidiness
	$(call say,check)
	@go mod tidy -diff
	@cd e2e && go mod tidy -diff
	@.tools/$(LINT) run ./...
	@cd e2e && ../.tools/$(LINT) run ./...

.PHONY: fmt
fmt: .tools/$(LINT) ## Format the code
	@.tools/$(LINT) fmt ./... && cd e2e && ../.tools/$(LINT) fmt ./...

.PHONY: generate
generate: .tools/controller-gen ## Write anew what is generated: documentation, definitions of objects
	@go generate ./...
	@.tools/controller-gen object crd paths=./corednsconfig/api/v1alpha1 output:crd:dir=corednsconfig/api/v1alpha1
	@.tools/controller-gen object crd paths=./zonecontroller/api/v1alpha1 output:crd:dir=zonecontroller/api/v1alpha1

.PHONY: screenshots
screenshots: packages ## Draw the pictures in docs/images anew
	@cd e2e && go test -count=1 -run TestTheDocumentationShowsTodaysPage ./page -screenshots

NAME := spokedns
.PHONY: cluster cluster-down
cluster: tools packages ## Leave a real Kubernetes with pods up to try the charts in (NAME=name; needs root)
	@cd e2e && go build -o ../bin/cluster ./cluster/byhand
	@bin/cluster -name $(NAME)

cluster-down: ## End it without a trace
	@cd e2e && go run ./cluster/byhand -name $(NAME) -down

FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s each)
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "==> $$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

.PHONY: bench
bench: tools packages build ## Measure peers and ours in one run; writes docs/performance.md
	$(call say,benchmark)
	@cd e2e && go run ./bench $(BENCHFLAGS)

.PHONY: tools
tools: $(PARTS:%=.tools/%) $(KUBE:%=.tools/%) ## Build the pinned programs the tests run against (about 10 minutes, once)

# A tool's go.mod and go.sum are its version; nothing else makes it stale. Without cgo it runs in an image of its own.
.tools/%: e2e/tools/%/go.mod e2e/tools/%/go.sum
	$(call say,build $* (once; the largest take some minutes))
	@mkdir -p .tools
	@start=$$SECONDS; CGO_ENABLED=0 go build -C e2e/tools/$* -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ tool; \
	  touch $@; echo "    $* ready after $$((SECONDS-start)) s"

# Without its version Kubernetes says v0.0.0, which kubectl and the kubeVersion of charts take at its word.
$(KUBE:%=.tools/%) &: e2e/tools/kubernetes/go.mod e2e/tools/kubernetes/go.sum
	$(call say,build $(KUBE) (once; some minutes))
	@mkdir -p .tools
	@start=$$SECONDS; version=$$(go list -C e2e/tools/kubernetes -m -f '{{.Version}}' k8s.io/kubernetes); \
	  IFS=. read -r major minor _ <<<"$${version#v}"; x=k8s.io/component-base/version; \
	  CGO_ENABLED=0 go build -C e2e/tools/kubernetes -trimpath -o $(CURDIR)/.tools/ -ldflags "-s -w \
	    -X $$x.gitVersion=$$version -X $$x.gitMajor=$$major -X $$x.gitMinor=$$minor -X $$x.gitTreeState=clean \
	    -X $$x.gitCommit=unknown -X k8s.io/client-go/pkg/version.gitVersion=$$version" tool; \
	  touch $(KUBE:%=.tools/%); echo "    Kubernetes $$version ready after $$((SECONDS-start)) s"

.PHONY: packages
packages: ## Install what is missing of the Debian packages the tests use
	@export PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for p in $(PACKAGES); do command -v "$${p%%:*}" >/dev/null || missing="$$missing $${p##*:}"; done; \
	ls /usr/lib/*/pdns/libgsqlite3backend.so >/dev/null 2>&1 || missing="$$missing pdns-backend-sqlite3"; \
	if [ -n "$$missing" ]; then e2e/install-packages $$missing; fi

.PHONY: clean
clean: ## Remove what was built (not the Debian packages)
	@rm -rf bin .tools
