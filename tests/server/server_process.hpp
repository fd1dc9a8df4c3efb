#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace stratos::server_test {

using Settings = std::map<std::string, std::string>;

/// A stratos-server of its own process. Its environment holds nothing but the given settings; it is
/// killed when the object dies.
class ServerProcess {
 public:
  ServerProcess(const Settings& settings, const std::vector<std::string>& arguments,
                const std::string& workingDirectory);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Waits for a line with `text` and returns it; empty when the process ended first or the time is
  /// up.
  [[nodiscard]] std::string waitForLine(const std::string& text,
                                        std::chrono::seconds limit = std::chrono::seconds{60});
  void signal(int number);
  /// Waits for the end and returns the exit status (128 + number after a signal); -1 when time is
  /// up.
  [[nodiscard]] int waitForExit(std::chrono::seconds limit = std::chrono::seconds{60});
  /// Everything it printed so far.
  [[nodiscard]] std::string output();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void readOutput();

  pid_t pid_ = -1;
  int outputPipe_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  bool ended_ = false;
  int status_ = -1;
  bool reaped_ = false;
  std::thread reader_;
};

}  // namespace stratos::server_test
