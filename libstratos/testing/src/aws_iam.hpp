#pragma once

#include <string>
#include <vector>

#include "stratos/base/clock.hpp"

namespace stratos::testing {

struct AwsUser {
  std::string cluster;
  std::string accessKey;
  std::string secretKey;
};

/// `arn:ACCESS_KEY` of the user whose secret key signed `token` (`k8s-aws-v1.` and a presigned call
/// of GetCallerIdentity) for their cluster within the last 15 minutes; empty when it is nobody's.
[[nodiscard]] std::string findAwsUser(const std::string& token, const std::vector<AwsUser>& users,
                                      TimePoint now);

}  // namespace stratos::testing
