// Package route53 owns hosted zones in Amazon Route 53.
package route53

import (
	_ "github.com/aws/aws-sdk-go-v2/aws"                  // until the code comes
	_ "github.com/aws/aws-sdk-go-v2/config"               // until the code comes
	_ "github.com/aws/aws-sdk-go-v2/credentials"          // until the code comes
	_ "github.com/aws/aws-sdk-go-v2/credentials/stscreds" // until the code comes
	_ "github.com/aws/aws-sdk-go-v2/service/route53"      // until the code comes
	_ "github.com/aws/aws-sdk-go-v2/service/sts"          // until the code comes
	_ "github.com/aws/smithy-go"                          // until the code comes
)
