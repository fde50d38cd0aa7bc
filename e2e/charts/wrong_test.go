package charts_test

import (
	"strings"
	"testing"
)

// wrong is a value that is refused, set over a values file that is not.
type wrong struct{ set, named string }

// refused renders with each wrong value; the message names the value.
func refused(t *testing.T, chart, values string, table []wrong) {
	t.Helper()
	dir := chartDir(t, chart)
	if _, err := manifest(t, dir, values); err != nil {
		t.Fatalf("without a wrong value: %v", err)
	}
	for _, c := range table {
		flag := "--set-json"
		if !strings.ContainsAny(c.set, `"[{`) {
			flag = "--set"
		}
		out, err := manifest(t, dir, values, flag, c.set)
		if err == nil {
			t.Errorf("%s: accepted:\n%.300s", c.set, out)
			continue
		}
		if !strings.Contains(err.Error(), c.named) {
			t.Errorf("%s: the message does not name %s: %v", c.set, c.named, err)
		}
	}
}

func TestTheWebhookChartRefusesWrongValues(t *testing.T) {
	refused(t, "webhook", "testdata/webhook/least.yaml", []wrong{
		// What does not exist.
		{`imagee=x`, "imagee"},
		{`image.repo=x`, "repo"},
		{`externalDNS.txtOwnerID=spoke-1`, "txtOwnerID"},
		{`externaldns.policy=sync`, "externaldns"},
		{`webhook.config={}`, "config"},
		{`config.externalDNS={"txtOwnerID":"x"}`, "'/config': additional properties 'externalDNS'"},
		{`config.server={"listen":":9999"}`, "'/config': additional properties 'server'"},
		{`config.view=[]`, "'/config': additional properties 'view'"},
		{`config.dryRun="yes"`, "'/config/dryRun'"},
		{`identity.azure.clientID=22222222-2222-2222-2222-222222222222`, "clientID"},
		{`serviceMonitor.enable=true`, "enable"},
		{`secrets=[{"secretName":"a","mountPath":"/a","key":"b"}]`, "key"},
		{`webhook.resources={"request":{"cpu":"1"}}`, "request"},
		{`externalDNS.env=[{"name":"A","valeu":"b"}]`, "valeu"},
		{`tolerations=[{"keys":"a"}]`, "keys"},
		{`affinity={"nodeAffinty":{}}`, "nodeAffinty"},
		{`podSecurityContext={"runAsUsr":1}`, "runAsUsr"},
		{`networkPolicy.metricsFrom=[{"namespace":"monitoring"}]`, "namespace"},
		{`externalSecrets=[{"name":"a","secretStoreRef":{"name":"s"},"data":[{"secretKey":"k","remoteRef":{"path":"x"}}]}]`, "path"},
		// Of another type.
		{`companionOnly="yes"`, "companionOnly"},
		{`image.repository=[]`, "repository"},
		{`externalDNS.sources="ingress"`, "sources"},
		{`externalDNS.events="true"`, "events"},
		{`config=[]`, "config"},
		{`config.views={}`, "views"},
		{`serviceAccount.annotations={"a":1}`, "annotations"},
		{`podLabels=["a"]`, "podLabels"},
		{`nodeSelector={"a":true}`, "nodeSelector"},
		{`terminationGracePeriodSeconds="30s"`, "terminationGracePeriodSeconds"},
		{`networkPolicy.egress.apiServerPorts=["https"]`, "apiServerPorts"},
		{`rbac.extraRules={"verbs":["get"]}`, "extraRules"},
		{`imagePullSecrets=["registry"]`, "imagePullSecrets"},
		{`extraVolumes=[{"name":"a","configMap":"b"}]`, "configMap"},
		// None of those possible.
		{`image.pullPolicy=Sometimes`, "pullPolicy"},
		{`image.digest=latest`, "digest"},
		{`externalDNS.image.digest=sha256:123`, "digest"},
		{`externalDNS.policy=update`, "policy"},
		{`externalDNS.registry=text`, "registry"},
		{`externalDNS.sources=["ingresses"]`, "sources"},
		{`externalDNS.sources=["ingress","ingress"]`, "sources"},
		{`externalDNS.sources=[]`, "sources"},
		{`externalDNS.interval=60`, "interval"},
		{`externalDNS.interval=1 minute`, "interval"},
		{`externalDNS.managedRecordTypes=["CAA"]`, "managedRecordTypes"},
		{`externalDNS.serviceTypes=["Loadbalancer"]`, "serviceTypes"},
		{`externalDNS.eventsEmit=["Ready"]`, "eventsEmit"},
		{`externalDNS.annotationPrefix=external-dns.alpha.kubernetes.io`, "annotationPrefix"},
		{`externalDNS.namespace=Shop`, "namespace"},
		{`externalDNS.txtOwnerId="spoke 1"`, "txtOwnerId"},
		{`externalDNS.extraArgs=["dry-run"]`, "extraArgs"},
		{`externalDNS.logLevel=verbose`, "logLevel"},
		{`webhook.extraArgs=["log-level=debug"]`, "extraArgs"},
		{`config.views=[]`, "views"},
		{`secrets=[{"secretName":"a","mountPath":"a"}]`, "mountPath"},
		{`secrets=[{"mountPath":"/a"}]`, "secretName"},
		{`identity.azure.clientId=spokedns`, "clientId"},
		{`identity.google.serviceAccount=spokedns`, "serviceAccount"},
		{`identity.aws.roleArn=spokedns`, "roleArn"},
		{`serviceMonitor.interval=30`, "interval"},
		{`prometheusRule.runbookURL=runbooks`, "runbookURL"},
		{`prometheusRule.syncedWithinSeconds=0`, "syncedWithinSeconds"},
		{`networkPolicy.egress.apiServerPorts=[70000]`, "apiServerPorts"},
		{`externalSecrets=[{"name":"a","secretStoreRef":{"name":"s","kind":"Vault"},"data":[{"secretKey":"k","remoteRef":{"key":"x"}}]}]`, "kind"},
		{`fullnameOverride=a-name-that-is-much-too-long-for-everything-that-is-made-of-it`, "fullnameOverride"},
		// What is missing, or does not go together.
		{`image.repository=`, "image.repository"},
		{`externalDNS.image.tag=`, "externalDNS.image.tag"},
		{`externalDNS.txtOwnerId=`, "externalDNS.txtOwnerId"},
		{`config=null`, "config"},
		{`externalDNS.txtSuffix=-x`, "externalDNS.txtSuffix"},
		{`companionOnly=true`, "serviceAccount.name"},
		{`config.views=[{"name":"a","backend":{"etcd":{"wildcardLabel":"_wildcard"}}}]`, "externalDNS.txtWildcardReplacement"},
	})
}

func TestOldKubernetesIsRefused(t *testing.T) {
	for _, chart := range chartNames(t) {
		_, err := manifest(t, chartDir(t, chart), cases(t, chart)[0], "--kube-version", "v1.28.15")
		if err == nil || !strings.Contains(err.Error(), "1.29") {
			t.Errorf("%s: on Kubernetes 1.28: %v", chart, err)
		}
	}
}
