#include "stratos/base/ip_network.hpp"

#include <gtest/gtest.h>

namespace stratos {
namespace {

bool isIn(const char* address, const char* network) {
  return IpNetwork::parse(network).value().contains(address);
}

TEST(IpNetworkTest, ContainsWhatSharesItsPrefix) {
  EXPECT_TRUE(isIn("10.1.2.3", "10.0.0.0/8"));
  EXPECT_FALSE(isIn("11.1.2.3", "10.0.0.0/8"));
  EXPECT_TRUE(isIn("172.31.255.255", "172.16.0.0/12"));
  EXPECT_FALSE(isIn("172.32.0.0", "172.16.0.0/12"));
  EXPECT_TRUE(isIn("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(isIn("192.0.2.2", "192.0.2.1"));
  EXPECT_TRUE(isIn("fd12::1", "fc00::/7"));
  EXPECT_FALSE(isIn("fe80::1", "fc00::/7"));
  EXPECT_TRUE(isIn("255.255.255.255", "0.0.0.0/0"));
}

TEST(IpNetworkTest, TakesMappedAddressesForWhatTheyAre) {
  EXPECT_TRUE(isIn("::ffff:10.1.2.3", "10.0.0.0/8"));
  EXPECT_FALSE(isIn("::ffff:11.1.2.3", "10.0.0.0/8"));
  EXPECT_FALSE(isIn("10.1.2.3", "::/0")) << "another family";
}

TEST(IpNetworkTest, KnowsWhatIsNone) {
  for (const char* text : {"", "x", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x",
                           "10.0.0/8", "[::1]", "::/129", "10.0.0.1:80"}) {
    EXPECT_FALSE(IpNetwork::parse(text)) << text;
    EXPECT_FALSE(isIn(text, "0.0.0.0/0")) << text;
  }
  EXPECT_TRUE(isIpAddress("::1"));
  EXPECT_FALSE(isIpAddress("localhost"));
}

}  // namespace
}  // namespace stratos
