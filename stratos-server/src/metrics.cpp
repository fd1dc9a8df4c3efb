#include "metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <sys/resource.h>
#include <unistd.h>

#include "stratos/proxy/target.hpp"

namespace stratos::server {
namespace {

struct Memory {
  std::uint64_t virtualBytes = 0;
  std::uint64_t residentBytes = 0;
};

// Of this process; empty when /proc cannot be read, as in some sandboxes.
std::optional<Memory> memory() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t virtualPages = 0;
  std::uint64_t residentPages = 0;
  if (!(in >> virtualPages >> residentPages)) return std::nullopt;
  const auto pageBytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return Memory{virtualPages * pageBytes, residentPages * pageBytes};
}

std::optional<std::uint64_t> openDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  std::uint64_t count = 0;
  for (; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) ++count;
  if (error || count == 0) return std::nullopt;
  return count - 1;  // One is the look itself.
}

double secondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// What no handler should say is answered with a 500.
std::size_t classOf(int status) {
  return status >= 200 && status < 600 ? static_cast<std::size_t>(status / 100 - 1) : 4;
}

bool isBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

void MetricsText::begin(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  text_.append(name).append(" ").append(type).append("\n");
}

void MetricsText::startSample(Labels labels) {
  text_.append(name_);
  char separator = '{';
  for (const auto& [name, value] : labels) {
    text_.push_back(std::exchange(separator, ','));
    text_.append(name).append("=\"");
    for (const char c : value) {
      if (c == '\\' || c == '"') text_.push_back('\\');
      text_.append(c == '\n' ? std::string_view("\\n") : std::string_view(&c, 1));
    }
    text_.push_back('"');
  }
  text_.append(separator == ',' ? "} " : " ");
}

void MetricsText::sample(std::uint64_t value, Labels labels) {
  startSample(labels);
  text_.append(std::to_string(value)).append("\n");
}

void MetricsText::sample(double value, Labels labels) {
  startSample(labels);
  // The shortest text that reads back as the same number, whatever the locale.
  std::array<char, 64> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text_.append(digits.data(), result.ptr).append("\n");
}

http::Response RequestCounter::handle(http::Request& request) {
  const std::string_view target = request.target;
  const std::string_view path = request.rawPath();
  const Kind kind = proxy::isProxied(target)                        ? Proxied
                    : isBelow(path, "/pp") || isBelow(path, "/api") ? Control
                                                                    : Page;
  http::Response response = inner_.handle(request);
  counts_[kind][classOf(response.status)].fetch_add(1, std::memory_order_relaxed);
  return response;
}

void RequestCounter::write(MetricsText& text) const {
  constexpr std::array<std::string_view, kKinds> kNames{"page", "control", "proxied"};
  constexpr std::array<std::string_view, kClasses> kClassNames{"1xx", "2xx", "3xx", "4xx", "5xx"};
  text.counter("stratos_http_requests_total",
               "Requests whose answer has begun: pages of the front end, the console's own API, "
               "calls of endpoints.");
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    for (std::size_t i = 1; i < kClasses; ++i) {
      text.sample(counts_[kind][i].load(std::memory_order_relaxed),
                  {{"kind", kNames[kind]}, {"status", kClassNames[i]}});
    }
  }
}

void writeProcess(MetricsText& text, TimePoint startedAt) {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    text.counter("process_cpu_seconds_total", "User and system CPU time of the process.");
    text.sample(secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime));
  }
  if (const auto used = memory()) {
    text.gauge("process_resident_memory_bytes", "Resident memory.");
    text.sample(used->residentBytes);
    text.gauge("process_virtual_memory_bytes", "Virtual memory.");
    text.sample(used->virtualBytes);
  }
  if (const auto count = openDescriptors()) {
    text.gauge("process_open_fds", "Open file descriptors.");
    text.sample(*count);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    text.gauge("process_max_fds", "How many file descriptors may be open.");
    text.sample(static_cast<std::uint64_t>(limit.rlim_cur));
  }
  text.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.");
  text.sample(static_cast<double>(startedAt.time_since_epoch().count()) / 1000.0);
}

http::ClientResponse CallCounter::exchange(http::ClientRequest& request) {
  http::ClientResponse response = inner_.exchange(request);
  const auto outcome = static_cast<std::size_t>(response.failure);
  counts_[std::min(outcome, kOutcomes - 1)].fetch_add(1, std::memory_order_relaxed);
  return response;
}

void CallCounter::write(MetricsText& text) const {
  // In the order of http::TransportFailure.
  constexpr std::array<std::string_view, kOutcomes> kNames{
      "answered", "refused", "tls", "timed_out", "broken", "forbidden", "cancelled"};
  text.counter("stratos_outgoing_calls_total",
               "Calls of endpoints and authorization servers by how they ended; answered says "
               "nothing about the status.");
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    text.sample(counts_[i].load(std::memory_order_relaxed), {{"outcome", kNames[i]}});
  }
}

http::Response MetricsHandler::handle(http::Request& request) {
  if (request.rawPath() != "/metrics") return http::Response::text(404, "Not Found\n");
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response response = http::Response::text(405, "Method Not Allowed\n");
    response.headers.set("Allow", "GET, HEAD");
    return response;
  }
  MetricsText text;
  write_(text);
  http::Response response = http::Response::text(200, text.str());
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

}  // namespace stratos::server
