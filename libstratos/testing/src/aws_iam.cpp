#include "aws_iam.hpp"

#include <cstdio>
#include <ctime>
#include <map>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "stratos/base/encoding.hpp"
#include "support.hpp"

namespace stratos::testing {

namespace {

constexpr std::int64_t kLifeSeconds = 15 * 60;

std::string hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

/// Unix seconds of `20260131T120000Z`; 0 when it is no such time.
std::int64_t parseTime(const std::string& text) {
  std::tm time{};
  const int count = std::sscanf(text.c_str(), "%4d%2d%2dT%2d%2d%2dZ", &time.tm_year, &time.tm_mon,
                                &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec);
  if (count != 6 || text.size() != 16) return 0;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return timegm(&time);
}

struct Call {
  std::string host;
  std::string rawQuery;  ///< Up to the signature.
  std::map<std::string, std::string> query;
};

/// The parts of `https://HOST/?QUERY`; an empty host when it is something else.
Call parseCall(const std::string& url) {
  Call call;
  const std::string start = "https://";
  const auto slash = url.find("/?", start.size());
  if (!url.starts_with(start) || slash == std::string::npos) return call;
  const std::string query = url.substr(slash + 2);
  const auto fields = decodeForm(query);
  const auto signature = query.find("&X-Amz-Signature=");
  if (!fields || signature == std::string::npos) return call;
  for (const auto& [name, value] : *fields) call.query[name] = value;
  call.rawQuery = query.substr(0, signature);
  call.host = url.substr(start.size(), slash - start.size());
  return call;
}

bool isSignedBy(const Call& call, const AwsUser& user) {
  const auto at = [&](const char* name) {
    const auto found = call.query.find(name);
    return found == call.query.end() ? std::string{} : found->second;
  };
  const std::string time = at("X-Amz-Date");
  const auto scope = split(at("X-Amz-Credential"), '/');
  if (scope.size() != 5 || scope[0] != user.accessKey || scope[1] != time.substr(0, 8) ||
      scope[3] != "sts" || scope[4] != "aws4_request") {
    return false;
  }
  const bool isGlobal = call.host == "sts.amazonaws.com" && scope[2] == "us-east-1";
  if (!isGlobal && !call.host.starts_with("sts." + scope[2] + ".amazonaws.com")) return false;
  const std::string request = "GET\n/\n" + call.rawQuery + "\nhost:" + call.host +
                              "\nx-k8s-aws-id:" + user.cluster + "\n\nhost;x-k8s-aws-id\n" +
                              toHex(sha256(""));
  const std::string text = "AWS4-HMAC-SHA256\n" + time + "\n" + scope[1] + "/" + scope[2] + "/" +
                           scope[3] + "/" + scope[4] + "\n" + toHex(sha256(request));
  std::string key = "AWS4" + user.secretKey;
  for (std::size_t i = 1; i < scope.size(); ++i) key = hmac(key, scope[i]);
  return at("X-Amz-Signature") == toHex(hmac(key, text)) && at("Action") == "GetCallerIdentity" &&
         at("X-Amz-Security-Token").empty() && at("X-Amz-SignedHeaders") == "host;x-k8s-aws-id";
}

}  // namespace

std::string findAwsUser(const std::string& token, const std::vector<AwsUser>& users,
                        TimePoint now) {
  const std::string prefix = "k8s-aws-v1.";
  constexpr std::size_t kMaxToken = 4096;
  if (!token.starts_with(prefix) || token.size() > kMaxToken) return {};
  const Call call = parseCall(fromBase64(token.substr(prefix.size())).value_or(""));
  if (call.host.empty()) return {};
  const auto date = call.query.find("X-Amz-Date");
  if (date == call.query.end()) return {};
  const std::int64_t age = toUnixSeconds(now) - parseTime(date->second);
  if (age < 0 || age > kLifeSeconds) return {};
  for (const AwsUser& user : users) {
    if (isSignedBy(call, user)) return "arn:" + user.accessKey;
  }
  return {};
}

}  // namespace stratos::testing
