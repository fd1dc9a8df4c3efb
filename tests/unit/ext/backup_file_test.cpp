#include "ext/backup/backup_file.hpp"

#include <gtest/gtest.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"

namespace stratos::ext::backup {
namespace {

const Secret kPassword{"a long password"};
constexpr std::int64_t kVersion = 20240818042100;

Content sample() {
  Content content;
  store::EndpointRecord endpoint;
  endpoint.id = EndpointId("ep-1");
  endpoint.name = "Foundation \"one\" <é>";
  endpoint.type = "cf";
  endpoint.subType = "sub";
  endpoint.apiUrl = "https://api.example.com:8443/base%2Fpart/%20x";
  endpoint.authorizationEndpoint = "https://login.example.com";
  endpoint.tokenEndpoint = "https://uaa.example.com";
  endpoint.dopplerLoggingEndpoint = "wss://doppler.example.com";
  endpoint.skipSslValidation = true;
  endpoint.clientId = "cf";
  endpoint.clientSecret = Secret("client secret");
  endpoint.ssoAllowed = true;
  endpoint.metadata = R"({"a":1})";
  endpoint.caCertificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
  endpoint.creator = UserId("user-9");
  content.endpoints.push_back(endpoint);
  store::TokenRecord token;
  token.id = TokenId("tok-1");
  token.owner = UserId("user-1");
  token.endpoint = endpoint.id;
  token.authType = "OIDC";
  token.authToken = Secret("access");
  token.expiry = 1'700'000'000;
  token.disconnected = true;
  token.metadata = "meta";
  token.linkedTo = TokenId("tok-2");
  content.tokens.push_back(token);
  return content;
}

std::optional<ParsedContent> parsed(const std::string& json) { return parseContent(Secret(json)); }

std::string endpointWith(const std::string& members) {
  return R"({"Endpoints":[{"guid":"g","api_endpoint":{"Scheme":"https","Host":"x"},)" + members +
         "}]}";
}

TEST(BackupFileTest, EncryptsAsUpstreamDoes) {
  EXPECT_EQ(toBase64(encryptPayload(Secret(R"({"Endpoints":[],"Tokens":[]})"), Secret("password"),
                                    std::string(16, '\0'))),
            "AAAAAAAAAAAAAAAAAAAAACnLHZb+KSs45YwEhOJv5oxEyaB9Bs8ms+MnW6Y=");
}

TEST(BackupFileTest, ContentComesBackWhole) {
  const Content before = sample();
  const auto after = parseContent(writeContent(before));
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->isSealed);
  ASSERT_EQ(after->content.endpoints.size(), 1U);
  const store::EndpointRecord& a = before.endpoints[0];
  const store::EndpointRecord& b = after->content.endpoints[0];
  EXPECT_EQ(b.id, a.id);
  EXPECT_EQ(b.name, a.name);
  EXPECT_EQ(b.type, a.type);
  EXPECT_EQ(b.subType, a.subType);
  EXPECT_EQ(b.apiUrl, a.apiUrl);
  EXPECT_EQ(b.authorizationEndpoint, a.authorizationEndpoint);
  EXPECT_EQ(b.tokenEndpoint, a.tokenEndpoint);
  EXPECT_EQ(b.dopplerLoggingEndpoint, a.dopplerLoggingEndpoint);
  EXPECT_EQ(b.skipSslValidation, a.skipSslValidation);
  EXPECT_EQ(b.clientId, a.clientId);
  EXPECT_EQ(b.clientSecret, a.clientSecret);
  EXPECT_EQ(b.ssoAllowed, a.ssoAllowed);
  EXPECT_EQ(b.metadata, a.metadata);
  EXPECT_EQ(b.caCertificate, a.caCertificate);
  EXPECT_EQ(b.creator, a.creator);
  ASSERT_EQ(after->content.tokens.size(), 1U);
  const store::TokenRecord& s = before.tokens[0];
  const store::TokenRecord& t = after->content.tokens[0];
  EXPECT_EQ(t.id, s.id);
  EXPECT_EQ(t.owner, s.owner);
  EXPECT_EQ(t.endpoint, s.endpoint);
  EXPECT_EQ(t.authType, s.authType);
  EXPECT_EQ(t.authToken, s.authToken);
  EXPECT_EQ(t.refreshToken, s.refreshToken);
  EXPECT_EQ(t.expiry, s.expiry);
  EXPECT_EQ(t.disconnected, s.disconnected);
  EXPECT_EQ(t.metadata, s.metadata);
  EXPECT_EQ(t.linkedTo, s.linkedTo);
}

TEST(BackupFileTest, EveryAddressComesBackAsItWas) {
  for (const char* url :
       {"https://api.example.com", "https://api.example.com:8443/base", "http://10.0.0.1/a%20b",
        "https://[::1]:8443/x", "https://x/a%2Fb", "https://x/a!b(c)*d", "https://x/a?b=c&d=%20",
        "https://user:pass%40@git.example.com/api", "no scheme at all", "https://x/%zz"}) {
    Content content = sample();
    content.endpoints[0].apiUrl = url;
    const auto after = parseContent(writeContent(content));
    ASSERT_TRUE(after) << url;
    EXPECT_EQ(after->content.endpoints[0].apiUrl, url);
  }
}

TEST(BackupFileTest, NamesAreFoundInAnyCase) {
  const auto found = parsed(R"({"endpoints":[{"GUID":"g","Name":"n",)"
                            R"("API_Endpoint":{"scheme":"HTTPS","host":"x","path":"/p q"}}],)"
                            R"("TOKENS":[{"tokenrecord":{"tokenguid":"t","AUTHTOKEN":"a"},)"
                            R"("userguid":"u","endpointGuid":"g"}]})");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->isSealed);
  EXPECT_EQ(found->content.endpoints.at(0).id.str(), "g");
  EXPECT_EQ(found->content.endpoints.at(0).name, "n");
  EXPECT_EQ(found->content.endpoints.at(0).apiUrl, "HTTPS://x/p%20q");
  EXPECT_EQ(found->content.tokens.at(0).authToken.reveal(), "a");
}

TEST(BackupFileTest, AbsentAndNullMembersAreEmpty) {
  const auto found = parsed(endpointWith(R"("client_secret":null)"));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->content.endpoints.at(0).clientSecret.empty());
  EXPECT_TRUE(found->content.tokens.empty());
  ASSERT_TRUE(parsed(R"({"Endpoints":null,"Tokens":null})"));
}

TEST(BackupFileTest, AnythingElseIsNoContent) {
  for (const char* text : {"", "[]", "null", "{", R"({"Endpoints":5})", R"({"Tokens":[5]})",
                           R"({"Endpoints":[{"guid":5}]})", R"({"Tokens":[{}]})", "{}x",
                           "{\"Endpoints\":[{\"name\":\"\xff\"}]}"}) {
    EXPECT_FALSE(parsed(text)) << text;
  }
  EXPECT_FALSE(parsed(std::string(2'000'000, '[')));
}

TEST(BackupFileTest, WhatNoColumnHoldsIsRefused) {
  EXPECT_TRUE(parsed(endpointWith("\"name\":\"" + std::string(255, 'n') + "\"")));
  EXPECT_THROW((void)parsed(endpointWith("\"name\":\"" + std::string(256, 'n') + "\"")), Error);
  EXPECT_THROW((void)parsed(endpointWith(R"("name":"a\u0000b")")), Error);
  EXPECT_THROW((void)parsed(R"({"Endpoints":[{"guid":"","api_endpoint":{"Host":"x"}}]})"), Error);
  EXPECT_THROW((void)parsed(R"({"Tokens":[{"TokenRecord":{},"EndpointGUID":"e"}]})"), Error);
  EXPECT_THROW(
      (void)parsed(
          R"({"Tokens":[{"TokenRecord":{},"UserGUID":"u","EndpointGUID":"e","TokenType":"uaa"}]})"),
      Error);
}

TEST(BackupFileTest, FileOpensWithItsPasswordOnly) {
  crypto::SystemRandom random;
  const File file = close(sample(), kPassword, kVersion, random);
  const auto read = parseFile(writeFile(file));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->dbVersion, kVersion);
  const OpenResult opened = open(*read, kPassword);
  ASSERT_EQ(opened.status, OpenStatus::Opened);
  EXPECT_EQ(opened.text, writeContent(sample()));
  EXPECT_EQ(open(*read, Secret("another password")).status, OpenStatus::WrongOrBroken);
}

TEST(BackupFileTest, AnyChangeBreaksTheSeal) {
  crypto::SystemRandom random;
  const File file = close(sample(), kPassword, kVersion, random);
  const auto broken = [&](const auto& change) {
    File copy = file;
    change(copy);
    return open(copy, kPassword).status == OpenStatus::WrongOrBroken;
  };
  const auto flip = [](std::string& text, std::size_t at) {
    text[at] = static_cast<char>(text[at] ^ 1);
  };
  EXPECT_TRUE(broken([&](File& f) { flip(f.payload, 0); }));
  EXPECT_TRUE(broken([&](File& f) { flip(f.payload, f.payload.size() / 2); }));
  EXPECT_TRUE(broken([&](File& f) { flip(f.payload, f.payload.size() - 1); }));
  EXPECT_TRUE(broken([](File& f) { f.payload.pop_back(); }));
  EXPECT_TRUE(broken([](File& f) { f.payload.clear(); }));
  EXPECT_TRUE(broken([](File& f) { ++f.dbVersion; }));
  EXPECT_TRUE(broken([&](File& f) { flip(f.seal->salt, 3); }));
  EXPECT_TRUE(broken([&](File& f) { flip(f.seal->mac, 31); }));
  EXPECT_TRUE(broken([](File& f) { f.seal->cost.n /= 2; }));
}

TEST(BackupFileTest, SealOutOfItsFormFitsNothing) {
  const std::string mac = toBase64(std::string(32, 'm'));
  const std::string salt = toBase64(std::string(16, 's'));
  const auto seal = [&](const std::string& version, const std::string& kdf, const std::string& n,
                        const std::string& r, const std::string& p) {
    return R"({"version":)" + version + R"(,"kdf":")" + kdf + R"(","n":)" + n + R"(,"r":)" + r +
           R"(,"p":)" + p + R"(,"salt":")" + salt + R"(","mac":")" + mac + R"("})";
  };
  for (const std::string& text :
       {std::string("null"), std::string("5"), std::string("{}"), std::string("[]"),
        seal("2", "scrypt", "32768", "8", "1"), seal("1", "md5", "32768", "8", "1"),
        seal("1", "scrypt", "2", "8", "1"), seal("1", "scrypt", "1073741824", "8", "1"),
        seal("1", "scrypt", "32769", "8", "1"), seal("1", "scrypt", "32768", "4096", "1"),
        seal("1", "scrypt", "32768", "8", "4096"), seal("1", "scrypt", "-32768", "8", "1"),
        seal("1", "scrypt", "1e300", "8", "1")}) {
    const auto file =
        parseFile(R"({"payload":"AAAAAAAAAAAAAAAAAAAAAA==","dbVersion":1,"stratos":)" + text + "}");
    ASSERT_TRUE(file) << text;
    EXPECT_EQ(open(*file, kPassword).status, OpenStatus::WrongOrBroken) << text;
  }
}

TEST(BackupFileTest, HidingThatASealIsMissingSpoilsTheContent) {
  crypto::SystemRandom random;
  File file = close(sample(), kPassword, kVersion, random);
  file.seal.reset();
  ASSERT_TRUE(parseContent(open(file, kPassword).text)->isSealed);
  file.payload[16 + 3] = static_cast<char>(file.payload[16 + 3] ^ 1);  // In "Sealed".
  const OpenResult opened = open(file, kPassword);
  EXPECT_EQ(opened.text.reveal().substr(0, 5), "{\"Sda");
  EXPECT_FALSE(parseContent(opened.text));
}

TEST(BackupFileTest, UpstreamsFilesNeedNoSeal) {
  const auto file =
      parseFile(R"({"dbVersion":7,)"
                R"("payload":"AAAAAAAAAAAAAAAAAAAAACnLHZb+KSs45YwEhOJv5oxEyaB9Bs8ms+MnW6Y="})");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->dbVersion, 7);
  EXPECT_EQ(open(*file, Secret("password")).text.reveal(), R"({"Endpoints":[],"Tokens":[]})");
  EXPECT_EQ(open({.payload = "short", .dbVersion = 1, .seal = {}}, kPassword).status,
            OpenStatus::Truncated);
}

TEST(BackupFileTest, AnythingElseIsNoFile) {
  for (const char* text :
       {"", "x", "[]", "5", R"({"payload":5})", R"({"payload":"*"})",
        R"({"payload":"","dbVersion":"7"})", R"({"payload":"","dbVersion":1.5})"}) {
    EXPECT_FALSE(parseFile(text)) << text;
  }
}

}  // namespace
}  // namespace stratos::ext::backup
