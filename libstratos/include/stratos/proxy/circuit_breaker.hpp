#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "stratos/base/annotations.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/export.hpp"
#include "stratos/base/ids.hpp"

namespace stratos::proxy {

struct CircuitBreakerOptions {
  /// Calls of an endpoint in a row without any answer, after which it is left alone for a while;
  /// 0: never.
  std::size_t failures = 5;
  /// The first pause; each further one is twice as long, up to `longestPause`.
  std::chrono::milliseconds pause{1'000};
  std::chrono::milliseconds longestPause{30'000};
  /// Calls of one endpoint that may wait for an answer at the same time; 0: any number.
  std::size_t maxWaiting = 1'000;
};

/// Keeps an endpoint that does not answer from using up what the others need, and from being called
/// by everybody at the moment when it comes back.
///
/// An endpoint is trusted until a number of calls in a row got no answer at all. Then calls are
/// refused at once until a pause is over; after it one call is let through, and after another
/// pause, should that call still wait, another one. The first answer, whatever it says, ends the
/// matter. See M. Nygard, Release It!, "Circuit Breaker".
///
/// Thread safety: all members may be called concurrently. The clock must outlive it.
class STRATOS_EXPORT CircuitBreaker {
 public:
  CircuitBreaker(const Clock& clock, CircuitBreakerOptions options);

  /// A call that is being made. Ends as one that says nothing about the endpoint unless told more.
  class STRATOS_EXPORT Call {
   public:
    Call(Call&& other) noexcept;
    Call& operator=(Call&&) = delete;
    ~Call();
    /// The endpoint gave an answer.
    void answered() noexcept;
    /// It gave none; `why` is one sentence.
    void failed(const std::string& why);

   private:
    friend class CircuitBreaker;
    Call(CircuitBreaker& breaker, EndpointId endpoint, bool isTrial);
    CircuitBreaker* breaker_;
    EndpointId endpoint_;
    bool isTrial_;
  };

  /// Whether a call may be made now; if not, `refusal` is one sentence for the browser.
  [[nodiscard]] std::optional<Call> tryBegin(const EndpointId& endpoint, std::string& refusal);

  /// What is known of an endpoint that does not answer.
  struct Outage {
    TimePoint since;
    std::string reason;
  };
  [[nodiscard]] std::optional<Outage> outageOf(const EndpointId& endpoint) const;

 private:
  struct State {
    std::size_t waiting = 0;
    std::size_t failures = 0;  ///< In a row.
    bool isOpen = false;
    std::chrono::milliseconds pause{0};
    TimePoint nextTrial{};
    Outage outage{};
  };

  void end(const EndpointId& endpoint, bool isTrial, std::optional<bool> answered,
           const std::string& why);

  const Clock& clock_;
  const CircuitBreakerOptions options_;
  mutable Mutex mutex_;
  /// Only endpoints with calls in progress or failures.
  std::map<EndpointId, State> states_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace stratos::proxy
