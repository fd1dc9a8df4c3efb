#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace stratos::broker_test {

/// The program of replica.cpp, which see; killed when the object dies.
///
/// One thread at a time: the process dies with the thread that started it.
class ReplicaProcess {
 public:
  /// `environment` is all that it has, one "NAME=value" each. Returns when it is ready; throws
  /// std::runtime_error.
  explicit ReplicaProcess(std::vector<std::string> environment);
  ~ReplicaProcess();
  ReplicaProcess(const ReplicaProcess&) = delete;
  ReplicaProcess& operator=(const ReplicaProcess&) = delete;

  void send(const std::string& command);
  /// Takes `count` lines that begin with `start` off what it wrote, waiting for them. Throws
  /// std::runtime_error with all that it wrote when they do not come.
  std::vector<std::string> take(const std::string& start, std::size_t count = 1);
  /// Whether a line that begins with `start` is there now.
  [[nodiscard]] bool has(const std::string& start);
  /// Forgets the lines that begin with `start`.
  void drop(const std::string& start);
  void kill() noexcept;
  [[nodiscard]] bool isAlive() const noexcept { return pid_ > 0; }
  /// No more commands: it ends by itself. The exit status, or 128 and the number of the signal.
  int finish() noexcept;

 private:
  void read();
  int reap() noexcept;

  pid_t pid_ = -1;
  int socket_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::string rest_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace stratos::broker_test
