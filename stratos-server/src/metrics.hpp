#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "stratos/base/clock.hpp"
#include "stratos/http/message.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::server {

/// Writes the text format of Prometheus, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/). Values of labels are words of
/// our own: no users, no endpoints, whose number has no bound and whose names are nobody's
/// business.
class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a metric; the samples that follow belong to it.
  void counter(std::string_view name, std::string_view help) { begin(name, "counter", help); }
  void gauge(std::string_view name, std::string_view help) { begin(name, "gauge", help); }
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});

  [[nodiscard]] const std::string& str() const noexcept { return text_; }

 private:
  void begin(std::string_view name, std::string_view type, std::string_view help);
  void startSample(Labels labels);

  std::string name_;
  std::string text_;
};

/// Counts the requests that pass through it, by what they are and by the class of their status.
/// Costs one atomic addition per request. Thread safety: safe from any thread.
class RequestCounter final : public http::Handler {
 public:
  /// `inner` must outlive it.
  explicit RequestCounter(http::Handler& inner) : inner_(inner) {}

  [[nodiscard]] http::Response handle(http::Request& request) override;
  void write(MetricsText& text) const;

 private:
  enum Kind { Page, Control, Proxied, kKinds };
  static constexpr std::size_t kClasses = 5;  // 1xx to 5xx

  http::Handler& inner_;
  std::array<std::array<std::atomic<std::uint64_t>, kClasses>, kKinds> counts_{};
};

/// Counts the calls that leave the process through it, by how they ended. Costs one atomic addition
/// per call. Thread safety: safe from any thread.
class CallCounter final : public http::Transport {
 public:
  /// `inner` must outlive it.
  explicit CallCounter(http::Transport& inner) : inner_(inner) {}

  [[nodiscard]] http::ClientResponse exchange(http::ClientRequest& request) override;
  void write(MetricsText& text) const;

 private:
  static constexpr std::size_t kOutcomes = 7;  // Of http::TransportFailure.

  http::Transport& inner_;
  std::array<std::atomic<std::uint64_t>, kOutcomes> counts_{};
};

/// What the operating system knows of this process. `startedAt` is when it began.
void writeProcess(MetricsText& text, TimePoint startedAt);

/// Answers GET /metrics. Thread safety: as that of `write`.
class MetricsHandler final : public http::Handler {
 public:
  explicit MetricsHandler(std::function<void(MetricsText&)> write) : write_(std::move(write)) {}

  [[nodiscard]] http::Response handle(http::Request& request) override;

 private:
  const std::function<void(MetricsText&)> write_;
};

}  // namespace stratos::server
