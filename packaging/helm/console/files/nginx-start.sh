# nginx, and beside it a look at its certificate now and then: one that was replaced is taken up if it is in
# order. The words between @ are filled in by the chart and by the tests.
fingerprint() { cat @CERTIFICATE@ @KEY@ | sha256sum; }
seen=$(fingerprint)
while sleep @INTERVAL@ && kill -0 $$ 2>/dev/null; do
  now=$(fingerprint)
  [ "$now" = "$seen" ] || { @NGINX@ -t -q && @NGINX@ -s reload && seen=$now; }
done &
exec @NGINX@ -g 'daemon off;'
