// The whole console inside a program of your own: no server, requests come from memory.

#include <iostream>

#include "stratos/console/console.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/ext/cloud_foundry.hpp"
#include "stratos/store/schema.hpp"

using namespace stratos;

int main() {
  crypto::SystemRandom random;
  SystemClock clock;
  NullLogSink log;
  auto database = db::Database::openSqlite({.file = "embedded-console.db"});
  store::migrateSchema(*database, log);
  const auto key =
      crypto::EncryptionKey::fromHex(std::string(64, '7'));  // Yours comes from a vault.
  const auto cipher = store::openCipher(*database, {key}, random);
  http::PooledTransport transport;

  ConsoleOptions options;
  options.session.secret = Secret{random.bytes(32)};
  options.signIn.localUser = "admin";
  options.signIn.localUserPassword = Secret{"correct horse"};
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(ext::makeCloudFoundry());
  Console console(options, {*database, cipher, transport, clock, random, log},
                  std::move(extensions));

  http::Request request;
  request.target = "/pp/v1/version";
  const http::Response response = console.handle(request);
  std::cout << response.status << ' ' << response.body.bytes();
  return response.status == 200 ? 0 : 1;
}
