#pragma once

#include <memory>
#include <vector>

#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/random.hpp"
#include "stratos/console/extension.hpp"
#include "stratos/console/options.hpp"
#include "stratos/crypto/token_cipher.hpp"
#include "stratos/db/database.hpp"
#include "stratos/http/message.hpp"
#include "stratos/http/router.hpp"
#include "stratos/http/transport.hpp"

namespace stratos {

/// What a console stands on. Everything must outlive it.
struct ConsoleEnvironment {
  db::Database& database;  ///< Migrated: see store::migrateSchema().
  const crypto::TokenCipher& cipher;
  http::Transport& transport;
  const Clock& clock;
  Random& random;
  LogSink& log;
};

/// The whole console as one Handler: sign-in, sessions, endpoints, tokens, the proxy.
///
/// It knows no server: give it requests from memory (in a test), from stratos-server, or from a
/// portal of your own. Paths outside /pp and /api go to `frontEnd`, if there is one.
/// Thread safety: handle() may be called from any thread.
/// Lifetime: the destructor waits for calls that outlived their request.
class STRATOS_EXPORT Console final : public http::Handler {
 public:
  /// Builds the graph, attaches the extensions and makes the first local user. Throws
  /// Error(InvalidArgument) that names the option that cannot work, Error(Unavailable) when the
  /// database cannot be asked.
  Console(ConsoleOptions options, ConsoleEnvironment environment,
          std::vector<std::unique_ptr<Extension>> extensions,
          std::unique_ptr<http::Handler> frontEnd = nullptr);
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Never throws: every failure becomes a response.
  [[nodiscard]] http::Response handle(http::Request& request) override;

  /// The routes that are there, those of extensions included: what an operator or a test has to
  /// look at. Paths that none of them names are answered as unknown, or by the front end.
  [[nodiscard]] const std::vector<http::RouteName>& routes() const noexcept;

  /// Deletes expired sessions and leases, and makes the cipher follow a store::Rekeyer of another process;
  /// call it every few minutes. Throws Error when the database cannot be asked or needs a key that
  /// the cipher does not have.
  void sweep();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos
