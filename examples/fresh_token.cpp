// Keeps the token of a user at a UAA fresh for scripts, of which any number may run at once:
//
//   export FRESH_TOKEN_KEY=$(openssl rand -hex 32)             # encrypts the file; keep it
//   read -rs FRESH_TOKEN_PASSWORD && export FRESH_TOKEN_PASSWORD  # to sign in
//   fresh_token https://uaa.example.com ada tokens.db >/dev/null && unset FRESH_TOKEN_PASSWORD
//   curl -H "Authorization: bearer $(fresh_token https://uaa.example.com ada tokens.db)" ...

#include <cstdlib>
#include <iostream>

#include "stratos/auth/token_provider.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"

using namespace stratos;

namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

auth::TokenResult freshToken(const std::string& url, const std::string& user,
                             const std::string& file) {
  crypto::SystemRandom random;
  SystemClock clock;
  NullLogSink log;
  const auto database = db::Database::openSqlite({.file = file});
  store::migrateSchema(*database, log);
  const auto key = crypto::EncryptionKey::fromHex(setting("FRESH_TOKEN_KEY"));
  const auto cipher = store::openCipher(*database, {key}, random);
  store::SqlTokenStore tokens(*database, cipher, random);
  store::SqlTokenLeaseStore leases(*database);
  http::PooledTransport transport;
  auth::UaaClient client(transport);
  auth::TokenProvider provider(tokens, &leases, client, clock, random, log);

  const auth::UaaTarget uaa{.baseUrl = url, .clientId = "cf", .clientSecret = {}, .trust = {}};
  const Deadline deadline = Deadline::after(std::chrono::seconds{60});
  auth::TokenResult result = provider.getConsole(UserId{user}, uaa, deadline);
  const bool mustSignIn = result.failure == auth::TokenFailure::NotConnected ||
                          result.failure == auth::TokenFailure::Rejected;
  const Secret password{setting("FRESH_TOKEN_PASSWORD")};
  if (!mustSignIn || password.empty()) return result;

  const auth::GrantResult login = client.passwordGrant(uaa, user, password, deadline);
  if (login.status != auth::GrantStatus::Granted) {
    result.reason = login.detail;
    return result;
  }
  store::TokenRecord token;
  token.owner = UserId{user};
  token.authToken = login.grant.accessToken;
  token.refreshToken = login.grant.refreshToken;
  token.expiry = auth::expiryOf(login.grant, clock.now());
  result.record = tokens.saveConsoleToken(token);
  result.failure = auth::TokenFailure::None;
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: fresh_token UAA-URL USER FILE\n";
    return 2;
  }
  try {
    const auth::TokenResult result = freshToken(argv[1], argv[2], argv[3]);
    if (result.ok()) {
      std::cout << result.record.authToken.reveal() << '\n';
      return 0;
    }
    std::cerr << result.reason << '\n';
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
  }
  return 1;
}
