#include "ext/kubernetes/aws_signature.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"

namespace stratos::ext::kubernetes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// 2013-05-24T00:00:00Z
constexpr std::int64_t kExampleTime = 1'369'353'600;

std::string urlOf(const Secret& token) {
  return fromBase64(token.reveal().substr(std::string_view{"k8s-aws-v1."}.size())).value_or("");
}

/// The example of "Authenticating Requests: Using Query Parameters" in Amazon's S3 API reference.
TEST(AwsSignatureTest, GivesTheSignatureOfAmazonsExample) {
  AwsRequest request;
  request.host = "examplebucket.s3.amazonaws.com";
  request.path = "/test.txt";
  request.region = "us-east-1";
  request.service = "s3";
  request.accessKey = "AKIAIOSFODNN7EXAMPLE";
  request.secretKey = Secret{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  request.expires = std::chrono::hours{24};
  request.payloadHash = "UNSIGNED-PAYLOAD";
  EXPECT_EQ(presignedUrl(request, fromUnixSeconds(kExampleTime)),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
            "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
            "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(AwsSignatureTest, AsksTheStsOfTheClustersRegion) {
  const EksIdentity identity{.cluster = "c", .accessKey = "AK", .secretKey = Secret{"s"}};
  const auto hostFor = [&](const std::string& cluster, const std::string& region) {
    const std::string url =
        urlOf(makeEksToken(identity, cluster, region, fromUnixSeconds(kExampleTime)));
    return url.substr(0, url.find('?'));
  };
  EXPECT_EQ(hostFor("AB12.gr7.eu-west-3.eks.amazonaws.com", "us-west-1"),
            "https://sts.eu-west-3.amazonaws.com/");
  EXPECT_EQ(hostFor("AB12.yl4.cn-north-1.eks.amazonaws.com.cn", ""),
            "https://sts.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(hostFor("kube.example", "eu-central-1"), "https://sts.eu-central-1.amazonaws.com/");
  EXPECT_EQ(hostFor("kube.example", "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(hostFor("kube.example", ""), "https://sts.amazonaws.com/");
}

TEST(AwsSignatureTest, SignsTheClustersNameAndNoSecret) {
  EksIdentity identity{.cluster = "prod", .accessKey = "AK", .secretKey = Secret{"hidden-key"}};
  const auto make = [&] {
    return makeEksToken(identity, "kube.example", "", fromUnixSeconds(kExampleTime));
  };
  const Secret token = make();
  EXPECT_THAT(token.reveal(), StartsWith("k8s-aws-v1."));
  EXPECT_THAT(token.reveal(), Not(HasSubstr("=")));
  const std::string url = urlOf(token);
  EXPECT_THAT(url, HasSubstr("?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm="));
  EXPECT_THAT(url, HasSubstr("&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&"));
  EXPECT_THAT(url, Not(HasSubstr("X-Amz-Security-Token")));
  EXPECT_THAT(url, Not(HasSubstr("hidden-key")));
  identity.cluster = "test";
  EXPECT_NE(urlOf(make()), url);
}

}  // namespace
}  // namespace stratos::ext::kubernetes
