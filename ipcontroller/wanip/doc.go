// Package wanip owns the contract between the ipcontroller, which finds out the site's public address and is
// the only writer of it, and everything that reads it: State and how it stands in a ConfigMap, the Writer of
// the elected leader, the Reader of the webhook, and Public, which both ask before they believe an address.
package wanip
