// Go's own reverse proxy, to compare with: CERTIFICATE KEY {http|https ADDRESS UPSTREAM}...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

// What lookups.go adds when it is built in.
var around = func(proxy *httputil.ReverseProxy) http.Handler { return proxy }

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: roots}}
	failed := make(chan error)
	for rest := os.Args[3:]; len(rest) >= 3; rest = rest[3:] {
		upstream, err := url.Parse(rest[2])
		if err != nil {
			log.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(upstream)
		proxy.Transport = transport
		proxy.ErrorLog = log.Default()
		server := &http.Server{Addr: rest[1], Handler: around(proxy)}
		go func(scheme string) {
			if scheme == "https" {
				failed <- server.ListenAndServeTLS(os.Args[1], os.Args[2])
			} else {
				failed <- server.ListenAndServe()
			}
		}(rest[0])
	}
	log.Fatal(<-failed)
}
