#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <Poco/Net/Context.h>
#include <Poco/Net/ServerSocket.h>

#include "http_exchange.hpp"
#include "http_server.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/worker_pool.hpp"
#include "stratos/engine/event_loop.hpp"
#include "worker_handler.hpp"

namespace stratos::server {

/// Thread safety: tls() and setTls() from any thread; the rest does not change while loops run.
class Listener {
 public:
  Poco::Net::ServerSocket socket;
  std::uint16_t port = 0;

  /// For connections that are accepted from now on; null for plain HTTP.
  [[nodiscard]] Poco::Net::Context::Ptr tls() const {
    const MutexLock lock(mutex_);
    return tls_;
  }
  void setTls(const Poco::Net::Context::Ptr& tls) {
    const MutexLock lock(mutex_);
    tls_ = tls;
  }

 private:
  mutable Mutex mutex_;
  Poco::Net::Context::Ptr tls_ STRATOS_GUARDED_BY(mutex_);
};

/// What the loops of one server have in common. Thread safety: as its members; there are no more
/// listeners and no fewer while loops run.
struct ServerShared {
  ServerShared(http::Handler& requestHandler, LogSink& logSink, HttpServerOptions serverOptions);

  http::Handler& handler;
  LogSink& log;
  const HttpServerOptions options;
  std::vector<std::unique_ptr<Listener>> listeners;

  std::atomic<bool> stopping = false;
  std::atomic<std::size_t> connections = 0;
  std::atomic<std::size_t> answering = 0;

  Mutex mutex;
  std::condition_variable_any changed;  ///< Some connections have ended.

  /// Run handlers that may block.
  std::unique_ptr<WorkerPool> workers;
  /// Do what fibers must not wait for; what waits for the network apart from the rest.
  std::unique_ptr<WorkerPool> blocking;
  std::unique_ptr<WorkerPool> network;
};

/// One thread that accepts connections and owns them: idle ones, ones in their TLS handshake, ones
/// whose head is incomplete. Requests are answered on fibers, which hold the connection meanwhile.
///
/// Thread safety: all members may be called from any thread; start() and join() once.
class ConnectionLoop {
 public:
  /// `shared` must outlive it.
  explicit ConnectionLoop(ServerShared& shared);
  ~ConnectionLoop();
  ConnectionLoop(const ConnectionLoop&) = delete;
  ConnectionLoop& operator=(const ConnectionLoop&) = delete;

  void start();
  /// Accepts nothing any more. Calls `done` when that is so.
  void closeEntrance(std::function<void()> done);
  /// Ends the connections on which nothing is being asked.
  void closeIdle();
  /// Ends all connections, whatever is going on.
  void cut();
  /// Waits for the fibers and ends the thread.
  void join();

 private:
  class Connection;
  class Entrance;
  using ConnectionPtr = std::shared_ptr<Connection>;
  /// What is to be done with a connection.
  enum class Next {
    Nothing,  ///< More has to come, or it is gone.
    Answer,   ///< On a fiber.
    Refuse,   ///< On a fiber, too.
  };

  void accept(Entrance& entrance);
  void admit(int descriptor, const Listener& listener, std::string peer);
  void turnAway(ClientStream& stream);
  void resumeEntrances();

  void onEvents(ConnectionPtr connection, std::uint32_t events);
  /// Reads on and does what comes next. In no fiber.
  void proceed(const ConnectionPtr& connection);
  [[nodiscard]] Next advance(const ConnectionPtr& connection);
  void serve(ConnectionPtr connection, Next next);
  void runFiber(const ConnectionPtr& connection, Next next);
  void beginAnswer(Connection& connection);
  void endAnswer(Connection& connection);
  void rest(Connection& connection);
  void remove(Connection& connection);
  void expire();
  void tick();

  ServerShared& shared_;
  WorkerHandler onWorker_;
  engine::EventLoop loop_;
  std::thread thread_;
  // Of the loop's thread.
  std::vector<std::unique_ptr<Entrance>> entrances_;
  std::unordered_map<std::uint64_t, ConnectionPtr> connections_;
  std::uint64_t nextId_ = 0;
  bool limitLogged_ = false;
};

/// How often loops look at the deadlines of their connections.
[[nodiscard]] std::chrono::milliseconds scanInterval(const HttpServerOptions& options);

}  // namespace stratos::server
