// Package clouddns owns zones in Google Cloud DNS.
package clouddns

import (
	_ "golang.org/x/oauth2/google"           // until the code comes
	_ "google.golang.org/api/dns/v1"         // until the code comes
	_ "google.golang.org/api/googleapi"      // until the code comes
	_ "google.golang.org/api/option"         // until the code comes
	_ "google.golang.org/api/transport/http" // until the code comes
)
