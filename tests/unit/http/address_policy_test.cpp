#include "stratos/http/address_policy.hpp"

#include <gtest/gtest.h>

namespace stratos::http {
namespace {

TEST(AddressPolicyTest, S24RefusesWhatOnlyThisMachineReaches) {
  const AddressPolicy policy;
  for (const char* address :
       {"0.0.0.0", "0.1.2.3", "::", "169.254.0.1", "169.254.169.254", "169.254.170.2", "fe80::1",
        "febf::1", "fd00:ec2::254", "fd00:ec2:0:0::254", "fd20:ce::254", "168.63.129.16",
        "100.100.100.200", "224.0.0.1", "239.255.255.255", "ff02::1", "240.0.0.1",
        "255.255.255.255"}) {
    EXPECT_TRUE(policy.refusal(address)) << address;
  }
  for (const char* address : {"127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.0.1",
                              "100.64.0.1", "fd00::1", "192.0.2.1", "169.253.255.255",
                              "169.255.0.0", "223.255.255.255", "2001:db8::1", "fec0::1"}) {
    EXPECT_FALSE(policy.refusal(address)) << address << ": " << *policy.refusal(address);
  }
}

TEST(AddressPolicyTest, KnowsAnIpv4AddressInItsIpv6Forms) {
  const AddressPolicy policy;
  for (const char* address :
       {"::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:a9fe:a9fe",
        "::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:abcd::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:0:169.254.169.254",
        "::ffff:0.0.0.0"}) {
    EXPECT_TRUE(policy.refusal(address)) << address;
  }
  EXPECT_FALSE(policy.refusal("64:ff9b::192.0.2.1"));
  EXPECT_FALSE(policy.refusal("2002:c000:0201::1"));
  EXPECT_FALSE(policy.refusal("::ffff:10.0.0.1"));
  AddressPolicy strict;
  ASSERT_TRUE(strict.deny("private"));
  ASSERT_TRUE(strict.deny("64:ff9b::/96"));
  EXPECT_TRUE(strict.refusal("::ffff:10.0.0.1"));
  EXPECT_TRUE(strict.refusal("2002:0a00:0001::1"));
  EXPECT_TRUE(strict.refusal("64:ff9b::192.0.2.1")) << "the IPv6 form counts, too";
}

TEST(AddressPolicyTest, TheSmallestNetworkDecides) {
  AddressPolicy policy;
  for (const char* network : {"0.0.0.0/0", "::/0", "10.1.0.0/16", "192.168.0.0/16"}) {
    ASSERT_TRUE(policy.deny(network));
  }
  for (const char* network : {"10.0.0.0/8", "10.1.2.3", "192.168.0.0/16", "169.0.0.0/8"}) {
    ASSERT_TRUE(policy.allow(network));
  }
  EXPECT_TRUE(policy.refusal("192.0.2.1"));
  EXPECT_TRUE(policy.refusal("2001:db8::1"));
  EXPECT_FALSE(policy.refusal("10.9.9.9"));
  EXPECT_TRUE(policy.refusal("10.1.2.4"));
  EXPECT_FALSE(policy.refusal("10.1.2.3"));
  EXPECT_TRUE(policy.refusal("192.168.1.1")) << "deny counts more";
  EXPECT_TRUE(policy.refusal("169.254.1.1")) << "169.0.0.0/8 is larger than what is built in";
}

TEST(AddressPolicyTest, OpensWhatIsNamedExactly) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.allow("169.254.0.0/16"));
  EXPECT_FALSE(policy.refusal("169.254.1.1"));
  EXPECT_TRUE(policy.refusal("169.254.169.254")) << "a metadata service has to be named itself";
  ASSERT_TRUE(policy.allow("169.254.169.254"));
  EXPECT_FALSE(policy.refusal("169.254.169.254"));
}

TEST(AddressPolicyTest, KnowsTwoWords) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.deny("private"));
  for (const char* address : {"10.0.0.1", "172.31.0.1", "192.168.0.1", "100.127.0.1", "fd12::1"}) {
    EXPECT_TRUE(policy.refusal(address)) << address;
  }
  EXPECT_FALSE(policy.refusal("127.0.0.1"));
  ASSERT_TRUE(policy.deny("loopback"));
  EXPECT_TRUE(policy.refusal("127.9.9.9"));
  EXPECT_TRUE(policy.refusal("::1"));
  for (const char* wrong : {"", "public", "10.0.0.0/33", "example.com", "*"}) {
    EXPECT_FALSE(policy.deny(wrong)) << wrong;
    EXPECT_FALSE(policy.allow(wrong)) << wrong;
  }
}

TEST(AddressPolicyTest, RefusesWhatIsNoAddress) {
  const AddressPolicy policy;
  for (const char* text : {"", "localhost", "fe80::1%eth0", "10.0.0"}) {
    EXPECT_TRUE(policy.refusal(text)) << text;
  }
}

TEST(AddressPolicyTest, SaysWhichAddressAndWhichSetting) {
  EXPECT_EQ(AddressPolicy::describe("meta.example", "169.254.0.1", "a link-local address"),
            "meta.example has the address 169.254.0.1, a link-local address, which may not be "
            "called; STRATOS_OUTGOING_ALLOW names addresses that may");
  EXPECT_EQ(AddressPolicy::describe("169.254.0.1", "169.254.0.1", "a link-local address"),
            "169.254.0.1 is a link-local address, which may not be called; STRATOS_OUTGOING_ALLOW "
            "names addresses that may");
}

}  // namespace
}  // namespace stratos::http
