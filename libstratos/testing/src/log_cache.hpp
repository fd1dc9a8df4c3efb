#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "stratos/base/clock.hpp"
#include "stratos/testing/fake_upstream.hpp"

namespace stratos::testing {

struct AppLine {
  std::int64_t at = 0;  ///< Nanoseconds since 1970.
  int instance = 0;
  std::string source = "APP/PROC/WEB";
  bool isError = false;
  std::string text = {};
};

/// How an application is at work; one that is started writes a line each second, its instances by
/// turns.
struct AppAtWork {
  std::string guid;
  std::string name;
  bool running = false;
  int instances = 0;
  std::int64_t since = 0;  ///< Seconds since 1970.
};

/// The log lines of applications, read as from Log Cache. Lines come into being when they are asked
/// for, from the clock; a bounded number is kept of a bounded number of applications. One thread at
/// a time.
class LogCache {
 public:
  explicit LogCache(const Clock& clock) : clock_(clock) {}

  /// Writes what the application has logged since the last time. Call it before `app` changes.
  void settle(const AppAtWork& app);
  /// Adds a line of now; `line.at` is ignored.
  void add(const AppAtWork& app, AppLine line);
  /// `GET /api/v1/read/{guid}`.
  [[nodiscard]] Reply read(const ReceivedRequest& request, const AppAtWork& app);

 private:
  struct Source {
    std::deque<AppLine> lines;
    std::int64_t until = 0;  ///< The second whose line was the last to be written.
    std::uint64_t used = 0;
  };
  Source& sourceOf(const AppAtWork& app);
  static void append(Source& source, AppLine line);

  const Clock& clock_;
  std::map<std::string, Source> sources_;
  std::uint64_t uses_ = 0;
};

}  // namespace stratos::testing
