#include "ext/kubernetes/aws_signature.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::ext::kubernetes {

namespace {

constexpr const char* kAlgorithm = "AWS4-HMAC-SHA256";

/// `20260131T120000Z`.
std::string basicTime(TimePoint now) {
  std::string text = toRfc3339(now);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string joinQuery(const std::map<std::string, std::string>& query) {
  std::map<std::string, std::string> encoded;  // Sorted by the encoded names.
  for (const auto& [name, value] : query) encoded[percentEncode(name)] = percentEncode(value);
  std::string text;
  for (const auto& [name, value] : encoded) {
    text += (text.empty() ? "" : "&") + name + "=" + value;
  }
  return text;
}

struct Sts {
  std::string host = "sts.amazonaws.com";
  std::string region = "us-east-1";
};

Sts stsOf(const std::string& clusterHost, const std::string& defaultRegion) {
  for (const std::string domain : {"amazonaws.com", "amazonaws.com.cn"}) {
    const std::string suffix = ".eks." + domain;
    if (!clusterHost.ends_with(suffix)) continue;
    const std::string rest = clusterHost.substr(0, clusterHost.size() - suffix.size());
    const std::string region = rest.substr(rest.rfind('.') + 1);
    return {.host = "sts." + region + "." + domain, .region = region};
  }
  if (defaultRegion.empty()) return {};
  return {.host = "sts." + defaultRegion +
                  (defaultRegion.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com"),
          .region = defaultRegion};
}

}  // namespace

std::string presignedUrl(const AwsRequest& request, TimePoint now) {
  const std::string time = basicTime(now);
  const std::string date = time.substr(0, 8);
  const std::string scope = date + "/" + request.region + "/" + request.service + "/aws4_request";

  std::map<std::string, std::string> headers = request.headers;
  headers["host"] = request.host;
  std::string signedNames;
  std::string canonicalHeaders;
  for (const auto& [name, value] : headers) {
    signedNames += (signedNames.empty() ? "" : ";") + name;
    canonicalHeaders += name + ":" + std::string{trim(value)} + "\n";
  }
  std::map<std::string, std::string> query = request.query;
  query["X-Amz-Algorithm"] = kAlgorithm;
  query["X-Amz-Credential"] = request.accessKey + "/" + scope;
  query["X-Amz-Date"] = time;
  query["X-Amz-Expires"] = std::to_string(request.expires.count());
  query["X-Amz-SignedHeaders"] = signedNames;
  const std::string canonicalQuery = joinQuery(query);

  const std::string canonicalRequest = "GET\n" + request.path + "\n" + canonicalQuery + "\n" +
                                       canonicalHeaders + "\n" + signedNames + "\n" +
                                       request.payloadHash;
  const std::string toSign = std::string{kAlgorithm} + "\n" + time + "\n" + scope + "\n" +
                             toHex(crypto::sha256(canonicalRequest));
  std::string key = "AWS4" + request.secretKey.reveal();
  for (const std::string& part :
       {date, request.region, request.service, std::string{"aws4_request"}}) {
    key = crypto::hmacSha256(key, part);
  }
  return "https://" + request.host + request.path + "?" + canonicalQuery +
         "&X-Amz-Signature=" + toHex(crypto::hmacSha256(key, toSign));
}

Secret makeEksToken(const EksIdentity& identity, const std::string& clusterHost,
                    const std::string& defaultRegion, TimePoint now) {
  const Sts sts = stsOf(clusterHost, defaultRegion);
  AwsRequest request;
  request.host = sts.host;
  request.query = {{"Action", "GetCallerIdentity"}, {"Version", "2011-06-15"}};
  request.headers = {{"x-k8s-aws-id", identity.cluster}};
  request.region = sts.region;
  request.service = "sts";
  request.accessKey = identity.accessKey;
  request.secretKey = identity.secretKey;
  return Secret{"k8s-aws-v1." + toBase64Url(presignedUrl(request, now))};
}

}  // namespace stratos::ext::kubernetes
