// A portal adds a route of its own to the console: who is signed in may ask for it, nobody else.

#include <iostream>

#include "stratos/console/console.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/store/schema.hpp"

using namespace stratos;

namespace {

class Portal final : public Extension {
 public:
  std::string_view name() const noexcept override { return "portal"; }
  void attach(ExtensionHost& host) override {
    host.addRoute(
        RouteAccess::Session, "GET", "/pp/v1/portal/greeting", [](http::Request& request) {
          return http::Response::text(200, "Hello, " + request.find<SignedIn>()->user.str());
        });
  }
};

http::Request post(std::string target, std::string form) {
  http::Request request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  request.body = std::move(form);
  return request;
}

}  // namespace

int main() {
  crypto::SystemRandom random;
  SystemClock clock;
  NullLogSink log;
  auto database = db::Database::openSqlite({.file = "portal-extension.db"});
  store::migrateSchema(*database, log);
  const auto key = crypto::EncryptionKey::fromHex(std::string(64, '7'));
  const auto cipher = store::openCipher(*database, {key}, random);
  http::PooledTransport transport;

  ConsoleOptions options;
  options.session.secret = Secret{random.bytes(32)};
  options.signIn.localUser = "admin";
  options.signIn.localUserPassword = Secret{"correct horse"};
  std::vector<std::unique_ptr<Extension>> extensions;
  extensions.push_back(std::make_unique<Portal>());
  Console console(options, {*database, cipher, transport, clock, random, log},
                  std::move(extensions));

  http::Request stranger;
  stranger.target = "/pp/v1/portal/greeting";
  if (console.handle(stranger).status != 401) return 1;

  http::Request login = post("/pp/v1/auth/login/uaa", "username=admin&password=correct+horse");
  const http::Response session = console.handle(login);
  if (session.status != 200) return 1;
  const std::string cookie{session.headers.get("set-cookie")};

  http::Request greeting;
  greeting.target = "/pp/v1/portal/greeting";
  greeting.headers.set("Cookie", cookie.substr(0, cookie.find(';')));
  const http::Response answer = console.handle(greeting);
  std::cout << answer.status << ' ' << answer.body.bytes() << '\n';
  return answer.status == 200 ? 0 : 1;
}
