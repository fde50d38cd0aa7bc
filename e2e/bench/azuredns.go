package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstreamazure "sigs.k8s.io/external-dns/provider/azure"

	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

const (
	azureSubscription = "33333333-3333-3333-3333-333333333333"
	azureGroup        = "dns"
)

// azureDNS takes one RRset in each call, and gives up to 1,000 in a page when asked to.
func (b *bench) azureDNS() (*cloud, func(), error) {
	fake := azurednstest.New(azurednstest.Options{MaxRecordSets: -1}) // a zone has 10,000 record sets unless the customer asks for more
	b.services.serve(azureLogin, fake)
	file := filepath.Join(b.services.dir, "azure.json")
	return &cloud{
		name:    "azuredns",
		host:    azureHost,
		service: fake,
		timed:   250,
		once:    true,
		note:    "ours makes 16 changes at a time; its pace, that of Azure Resource Manager, is off here, and the fake does not throttle",
		addZone: func(zone string) error {
			fake.AddZone(azureSubscription, azureGroup, zone, azurednstest.Public)
			return nil
		},
		peer: func(ctx context.Context, zone string) (client, error) { return upstreamAzure(ctx, zone, file) },
		ours: func(zone string) (client, error) { return ourAzure(zone, -1) },

		leastWrites: changedSets,
		leastReads:  func(sets int) int { return pages(sets+2, 1000) }, // with SOA and NS
		more:        b.azurePace,
	}, func() {}, nil
}

// ourAzure is our backend, at its own pace when that is 0, or without one when it is -1.
func ourAzure(zone string, pace int) (client, error) {
	o, err := azuredns.New(azuredns.Config{
		Subscriptions: []string{azureSubscription}, ResourceGroups: []string{azureGroup}, ReadsPerSecond: pace, WritesPerSecond: pace,
		Auth: azuredns.Auth{Method: "clientSecret", TenantID: azurednstest.Tenant, ClientID: azurednstest.ClientID, ClientSecret: azurednstest.ClientSecret},
	}, nil, slog.New(slog.DiscardHandler))
	return ourClient{o, zone}, err
}

// upstreamAzure is external-dns's own provider with the defaults of its flags and a service principal.
func upstreamAzure(ctx context.Context, zone, file string) (client, error) {
	settings, err := json.Marshal(map[string]string{
		"tenantId": azurednstest.Tenant, "subscriptionId": azureSubscription, "resourceGroup": azureGroup,
		"aadClientId": azurednstest.ClientID, "aadClientSecret": azurednstest.ClientSecret,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		return nil, err
	}
	p, err := upstreamazure.New(ctx, &externaldns.Config{AzureConfigFile: file, AzureMaxRetriesCount: 3}, endpoint.NewDomainFilter([]string{zone}))
	return peerClient{p}, err
}
