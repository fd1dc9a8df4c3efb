#include "support.hpp"

#include <chrono>

#include "stratos/base/encoding.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::bench {

namespace {

std::unique_ptr<db::Database> openMigrated(const testing::TestDatabase& directory, LogSink& log) {
  auto database = directory.open();
  store::migrateSchema(*database, log);
  return database;
}

}  // namespace

Stores::Stores()
    : directory_(db::Dialect::Sqlite),
      database(openMigrated(directory_, log)),
      cipher(store::openCipher(*database, {crypto::EncryptionKey::fromHex(std::string(64, 'a'))},
                               random)),
      endpoints(*database, cipher),
      tokens(*database, cipher, random),
      sessions(*database) {}

store::EndpointRecord Stores::addEndpoint(std::size_t number) {
  const std::string name = "cf" + std::to_string(number);
  store::EndpointRecord record;
  record.id = EndpointId{"endpoint-" + name};
  record.name = name;
  record.type = "cf";
  record.apiUrl = "https://api." + name + ".example.com";
  record.authorizationEndpoint = "https://login." + name + ".example.com";
  record.tokenEndpoint = "https://uaa." + name + ".example.com";
  record.dopplerLoggingEndpoint = "wss://doppler." + name + ".example.com:443";
  record.clientId = "cf";
  endpoints.insert(record);
  return record;
}

void Stores::addToken(const UserId& user, const EndpointId& endpoint) {
  store::TokenRecord token;
  token.owner = user;
  token.endpoint = endpoint;
  token.expiry = toUnixSeconds(clock.now() + std::chrono::hours{1});
  token.authToken = Secret{makeAccessToken(token.expiry)};
  token.refreshToken = Secret{toHex(random.bytes(17)) + "-r"};
  tokens.saveEndpointToken(token);
}

std::string makeAccessToken(std::int64_t expiry) {
  constexpr std::size_t kSignatureBytes = 256;
  const std::string header =
      R"({"alg":"RS256","jku":"https://uaa.example.com/token_keys","kid":"key-1","typ":"JWT"})";
  const std::string payload =
      R"({"jti":"5f3c1f0a4d9b4a0f9d7cf7f1f0a2b1c3","sub":"7f6ab2a6-6f9c-4b52-8b3c-0f9a4f1c2d3e",)"
      R"("scope":["openid","cloud_controller.read","cloud_controller.write",)"
      R"("cloud_controller.admin","password.write","uaa.user","scim.read","scim.write",)"
      R"("network.admin","doppler.firehose",)"
      R"("routing.router_groups.read","stratos.admin"],"client_id":"cf","cid":"cf","azp":"cf",)"
      R"("grant_type":"password","user_id":"7f6ab2a6-6f9c-4b52-8b3c-0f9a4f1c2d3e","origin":"uaa",)"
      R"("user_name":"admin","email":"admin@example.com","auth_time":1700000000,)"
      R"("iat":1700000000,"exp":)" +
      std::to_string(expiry) +
      R"(,"iss":"https://uaa.example.com/oauth/token","zid":"uaa","aud":["cloud_controller",)"
      R"("scim","password","cf","uaa","openid","doppler","network","routing.router_groups"]})";
  return toBase64Url(header) + "." + toBase64Url(payload) + "." +
         toBase64Url(std::string(kSignatureBytes, 's'));
}

}  // namespace stratos::bench
