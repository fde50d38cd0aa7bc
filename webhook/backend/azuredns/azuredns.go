// Package azuredns owns zones in Azure DNS and Azure Private DNS.
package azuredns

import (
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore"                                        // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"                                    // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"                                  // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"                                   // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"                                 // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/azidentity"                                    // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"                    // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns/fake"               // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"      // until the code comes
	_ "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns/fake" // until the code comes
	_ "golang.org/x/time/rate"                                                              // until the code comes
)
