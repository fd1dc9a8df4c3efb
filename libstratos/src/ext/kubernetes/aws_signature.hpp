#pragma once

#include <chrono>
#include <map>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::ext::kubernetes {

/// A GET request to be signed in its query
/// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html).
struct AwsRequest {
  std::string host;
  std::string path = "/";
  std::map<std::string, std::string> query;
  /// Further signed fields, names in lower case; whoever uses the URL has to send them.
  std::map<std::string, std::string> headers;
  std::string region;
  std::string service;
  std::string accessKey;
  Secret secretKey;
  std::chrono::seconds expires{60};
  /// In hexadecimal; the default is that of no body.
  std::string payloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
};

[[nodiscard]] std::string presignedUrl(const AwsRequest& request, TimePoint now);

/// A token for an EKS cluster (https://github.com/kubernetes-sigs/aws-iam-authenticator): a signed
/// call that tells the cluster's authenticator who the caller is. Valid for kEksTokenLife.
struct EksIdentity {
  std::string cluster;
  std::string accessKey;
  Secret secretKey;
};
inline constexpr std::chrono::minutes kEksTokenLife{15};
/// The region is the one in the cluster's address (`....REGION.eks.amazonaws.com`), else
/// `defaultRegion`, else the global STS is asked.
[[nodiscard]] Secret makeEksToken(const EksIdentity& identity, const std::string& clusterHost,
                                  const std::string& defaultRegion, TimePoint now);

}  // namespace stratos::ext::kubernetes
