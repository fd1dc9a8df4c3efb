// One replica's renewal of tokens as a process of its own, for tests that kill it. It reads
// commands and writes events, a line each:
//
//   time SECONDS                        what its clock shows
//   ask BATCH USER@ENDPOINT,...         each thread asks for a token at the same moment
//   refused BATCH USER@ENDPOINT,...     the same after a 401 to the token that was got last
//   stop-at POINT                       the next thread that comes there stops ("stopped POINT")
//   go                                  it goes on
//
// Events: "ready"; "read" (each thread that asks has read its row); "waiting" (another process has
// the lease; once after each ask); "stopped POINT"; "unwritten" (the database did not take a
// token); "log TEXT"; "BATCH OUTCOME TARGET TOKEN REASON", one per thread. Points: leased, asking,
// storing, stored.

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <list>
#include <map>
#include <sstream>
#include <thread>

#include "stratos/auth/token_provider.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/crypto/random.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/testing/manual_clock.hpp"

namespace stratos::broker_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw Error(ErrorCode::InvalidArgument, std::string(name) + " is not set");
  return value;
}

milliseconds duration(const char* name) { return milliseconds{std::stoll(setting(name))}; }

db::PostgreSqlOptions databaseOptions() {
  db::PostgreSqlOptions options;
  options.host = setting("BROKER_DB_HOST");
  options.port = std::stoi(setting("BROKER_DB_PORT"));
  options.user = setting("BROKER_DB_USER");
  options.password = Secret{setting("BROKER_DB_PASSWORD")};
  options.database = setting("BROKER_DB_NAME");
  return options;
}

/// Whole lines, whoever writes them.
void say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line << std::endl;
}

/// Where a thread can be made to stop.
class Points {
 public:
  void arm(const std::string& point) {
    const std::lock_guard lock(mutex_);
    armed_ = point;
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      armed_.clear();
      ++releases_;
    }
    changed_.notify_all();
  }
  void reach(std::string_view point) {
    std::unique_lock lock(mutex_);
    if (armed_ != point) return;
    armed_.clear();
    const int seen = releases_;
    say("stopped " + std::string(point));
    changed_.wait(lock, [&] { return releases_ != seen; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string armed_;
  int releases_ = 0;
};

/// Says when it waits for another process.
class WatchedLeases final : public store::TokenLeaseStore {
 public:
  WatchedLeases(store::TokenLeaseStore& inner, Points& points) : inner_(inner), points_(points) {}

  void watch() { unseen_ = true; }
  bool tryAcquire(const UserId& owner, const TokenId& token, const std::string& holder,
                  milliseconds life) override {
    const bool taken = inner_.tryAcquire(owner, token, holder, life);
    if (taken) points_.reach("leased");
    if (!taken && unseen_.exchange(false)) say("waiting");
    return taken;
  }
  void release(const UserId& owner, const TokenId& token, const std::string& holder) override {
    inner_.release(owner, token, holder);
  }
  std::int64_t removeExpired() override { return inner_.removeExpired(); }

 private:
  store::TokenLeaseStore& inner_;
  Points& points_;
  std::atomic<bool> unseen_ = false;
};

class WatchedTransport final : public http::Transport {
 public:
  WatchedTransport(http::Transport& inner, Points& points) : inner_(inner), points_(points) {}

  http::ClientResponse exchange(http::ClientRequest& request) override {
    points_.reach("asking");
    return inner_.exchange(request);
  }

 private:
  http::Transport& inner_;
  Points& points_;
};

class WatchedTokens final : public store::TokenStore {
 public:
  WatchedTokens(store::TokenStore& inner, Points& points) : inner_(inner), points_(points) {}

  void watch(int readers) { unread_ = readers; }
  std::optional<store::TokenRecord> findForEndpoint(const UserId& user,
                                                    const EndpointId& endpoint) override {
    auto found = inner_.findForEndpoint(user, endpoint);
    if (--unread_ == 0) say("read");
    return found;
  }
  std::optional<store::TokenRecord> findById(const UserId& owner, const TokenId& id) override {
    return inner_.findById(owner, id);
  }
  std::optional<store::TokenRecord> findConsoleToken(const UserId& user) override {
    return inner_.findConsoleToken(user);
  }
  std::vector<store::TokenRecord> listForUser(const UserId& user,
                                              std::vector<EndpointId>* unreadable) override {
    return inner_.listForUser(user, unreadable);
  }
  store::TokenRecord saveConsoleToken(const store::TokenRecord& record) override {
    return inner_.saveConsoleToken(record);
  }
  store::TokenRecord saveEndpointToken(const store::TokenRecord& record) override {
    return inner_.saveEndpointToken(record);
  }
  std::optional<store::TokenRecord> replaceIfUnchanged(const store::TokenRecord& record) override {
    points_.reach("storing");
    try {
      auto stored = inner_.replaceIfUnchanged(record);
      points_.reach("stored");
      return stored;
    } catch (const Error&) {
      say("unwritten");
      throw;
    }
  }
  bool removeForEndpoint(const UserId& owner, const EndpointId& endpoint) override {
    return inner_.removeForEndpoint(owner, endpoint);
  }
  bool markDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    return inner_.markDisconnected(owner, endpoint);
  }
  bool wasDisconnected(const UserId& owner, const EndpointId& endpoint) override {
    return inner_.wasDisconnected(owner, endpoint);
  }

 private:
  store::TokenStore& inner_;
  Points& points_;
  std::atomic<int> unread_ = 0;
};

class LineLog final : public LogSink {
 public:
  [[nodiscard]] bool enabled(LogLevel level) const noexcept override {
    return level >= LogLevel::Warning;
  }
  void write(LogLevel, std::string_view message,
             std::initializer_list<LogField>) noexcept override {
    say("log " + std::string(message));
  }
};

std::string_view nameOf(auth::TokenFailure failure) {
  switch (failure) {
    case auth::TokenFailure::None:
      return "ok";
    case auth::TokenFailure::NotConnected:
      return "not-connected";
    case auth::TokenFailure::Rejected:
      return "rejected";
    case auth::TokenFailure::Unreachable:
      return "unreachable";
    case auth::TokenFailure::Misconfigured:
      return "misconfigured";
  }
  return "";
}

class Replica {
 public:
  ~Replica() {
    points_.release();
    threads_.clear();
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    std::string argument;
    std::string targets;
    words >> command >> argument >> targets;
    if (command == "time") {
      clock_.set(fromUnixSeconds(std::stoll(argument)));
    } else if (command == "stop-at") {
      points_.arm(argument);
    } else if (command == "go") {
      points_.release();
    } else if (command == "ask" || command == "refused") {
      ask(argument, split(targets, ','), command == "refused");
    } else {
      throw Error(ErrorCode::InvalidArgument, "what is \"" + line + "\"?");
    }
  }

 private:
  void ask(const std::string& batch, const std::vector<std::string>& targets, bool refused) {
    leases_.watch();
    tokens_.watch(kThreads);
    const auto start = std::make_shared<std::barrier<>>(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      const std::string target = targets.at(static_cast<std::size_t>(i) % targets.size());
      threads_.emplace_back([this, start, batch, target, refused] {
        start->arrive_and_wait();
        say(batch + " " + answerTo(target, refused));
      });
    }
  }

  std::string answerTo(const std::string& target, bool refused) {
    const auto at = target.find('@');
    store::EndpointRecord endpoint;
    endpoint.id = EndpointId{target.substr(at + 1)};
    endpoint.tokenEndpoint = setting("BROKER_UAA");
    endpoint.clientId = "cf";
    try {
      const auth::TokenResult result =
          refused ? provider_.renew(endpoint, last(target), Deadline::after(kWait))
                  : provider_.get(UserId{target.substr(0, at)}, endpoint, Deadline::after(kWait));
      if (result.ok() && !refused) remember(target, result.record);
      return std::string(nameOf(result.failure)) + " " + target + " " +
             (result.ok() ? result.record.authToken.reveal() : "-") + " " + result.reason;
    } catch (const Error& error) {
      return std::string(toString(error.code())) + " " + target + " - " + error.what();
    }
  }

  void remember(const std::string& target, const store::TokenRecord& record) {
    const std::lock_guard lock(mutex_);
    last_[target] = record;
  }
  store::TokenRecord last(const std::string& target) {
    const std::lock_guard lock(mutex_);
    return last_.at(target);
  }

  static constexpr milliseconds kWait = 120s;
  const int kThreads = std::stoi(setting("BROKER_THREADS"));

  testing::ManualClock clock_;
  LineLog log_;
  Points points_;
  crypto::SystemRandom random_;
  crypto::TokenCipher cipher_{
      {crypto::EncryptionKey::fromHex(setting("BROKER_KEY"))}, crypto::CipherFormat::Gcm, random_};
  std::unique_ptr<db::Database> database_ = db::Database::openPostgreSql(
      databaseOptions(), {.maxConnections = static_cast<std::size_t>(kThreads)});
  store::SqlTokenStore sqlTokens_{*database_, cipher_, random_};
  store::SqlTokenLeaseStore sqlLeases_{*database_};
  WatchedTokens tokens_{sqlTokens_, points_};
  WatchedLeases leases_{sqlLeases_, points_};
  http::PooledTransport pooled_;
  WatchedTransport transport_{pooled_, points_};
  auth::UaaClient uaa_{transport_};
  auth::TokenProvider provider_{tokens_,
                                &leases_,
                                uaa_,
                                clock_,
                                random_,
                                log_,
                                {.refreshTimeout = duration("BROKER_REFRESH_TIMEOUT"),
                                 .storeTimeout = duration("BROKER_STORE_TIMEOUT"),
                                 .pollInterval = 5ms}};
  std::mutex mutex_;
  std::map<std::string, store::TokenRecord> last_;
  std::list<std::jthread> threads_;
};

}  // namespace
}  // namespace stratos::broker_test

int main() {
  using namespace stratos::broker_test;
  try {
    Replica replica;
    say("ready");
    for (std::string line; std::getline(std::cin, line);) replica.obey(line);
  } catch (const std::exception& error) {
    say(std::string("failed ") + error.what());
    return 1;
  }
  return 0;
}
