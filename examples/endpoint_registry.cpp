// The endpoint registry on its own: a type of endpoint of yours, registered and listed without a
// console around it.

#include <iostream>

#include "stratos/crypto/random.hpp"
#include "stratos/endpoint/endpoint_registry.hpp"
#include "stratos/store/schema.hpp"

using namespace stratos;

namespace {

/// An endpoint that needs no probing and no credentials.
class Wiki final : public endpoint::EndpointType {
 public:
  std::string_view name() const noexcept override { return "wiki"; }
  endpoint::ProbeResult probe(const store::EndpointRecord& candidate, Deadline) override {
    endpoint::ProbeResult result;
    result.status = endpoint::ProbeStatus::Accepted;
    result.authorizationEndpoint = candidate.apiUrl;
    result.tokenEndpoint = candidate.apiUrl;
    return result;
  }
  endpoint::ConnectResult connect(const store::EndpointRecord&, const http::FormParameters&,
                                  Deadline) override {
    endpoint::ConnectResult result;
    result.message = "A wiki needs no connection";
    return result;
  }
};

}  // namespace

int main() {
  crypto::SystemRandom random;
  NullLogSink log;
  const auto database = db::Database::openSqlite({.file = "endpoint-registry.db"});
  store::migrateSchema(*database, log);
  const auto key = crypto::EncryptionKey::fromHex(std::string(64, '7'));
  const auto cipher = store::openCipher(*database, {key}, random);
  store::SqlEndpointStore store(*database, cipher);

  endpoint::EndpointRegistry registry(store, log, {});
  registry.addType(std::make_unique<Wiki>());
  const endpoint::Caller admin{.user = UserId{"operator"}, .isAdmin = [] { return true; }};

  endpoint::Registration wiki;
  wiki.type = "wiki";
  wiki.name = "Team wiki";
  wiki.apiUrl = "https://wiki.example.com/";
  const auto added = registry.add(admin, wiki, Deadline::after(std::chrono::seconds{10}));
  std::cout << (added.message.empty() ? "registered" : added.message) << '\n';

  const auto endpoints = registry.listVisible(admin);
  for (const auto& endpoint : endpoints) {
    std::cout << endpoint.id << ' ' << endpoint.name << ' ' << endpoint.apiUrl << '\n';
  }
  return endpoints.size() == 1 ? 0 : 1;
}
