#include "stratos/proxy/circuit_breaker.hpp"

#include <algorithm>
#include <utility>

namespace stratos::proxy {

CircuitBreaker::CircuitBreaker(const Clock& clock, CircuitBreakerOptions options)
    : clock_(clock), options_(options) {}

std::optional<CircuitBreaker::Call> CircuitBreaker::tryBegin(const EndpointId& endpoint,
                                                             std::string& refusal) {
  const MutexLock lock(mutex_);
  State& state = states_[endpoint];
  bool isTrial = false;
  if (state.isOpen) {
    const TimePoint now = clock_.now();
    // A clock that was set back must not keep an endpoint away for longer than a pause.
    if (state.nextTrial - now > state.pause) state.nextTrial = now + state.pause;
    if (state.nextTrial > now) {
      const auto wait = std::chrono::ceil<std::chrono::seconds>(state.nextTrial - now);
      refusal =
          "the endpoint does not answer; the next try is in " + std::to_string(wait.count()) + " s";
      return std::nullopt;
    }
    isTrial = true;
    // Some calls may wait for minutes: others need not wait for the end of this one.
    state.pause = std::min(state.pause * 2, options_.longestPause);
    state.nextTrial = now + state.pause;
  } else if (options_.maxWaiting > 0 && state.waiting >= options_.maxWaiting) {
    refusal = "too many calls wait for this endpoint";
    return std::nullopt;
  }
  ++state.waiting;
  return Call(*this, endpoint, isTrial);
}

std::optional<CircuitBreaker::Outage> CircuitBreaker::outageOf(const EndpointId& endpoint) const {
  const MutexLock lock(mutex_);
  const auto found = states_.find(endpoint);
  if (found == states_.end() || !found->second.isOpen) return std::nullopt;
  return found->second.outage;
}

void CircuitBreaker::end(const EndpointId& endpoint, bool isTrial, std::optional<bool> answered,
                         const std::string& why) {
  const MutexLock lock(mutex_);
  const auto found = states_.find(endpoint);
  State& state = found->second;
  --state.waiting;
  if (answered == true) {
    state.failures = 0;
    state.isOpen = false;
    state.pause = {};
  } else if (answered == false) {
    const TimePoint now = clock_.now();
    if (state.failures == 0) state.outage.since = now;
    ++state.failures;
    state.outage.reason = why;
    // Only the trial's failure says that the pause was too short: the others began before it.
    const bool opens = options_.failures > 0 && state.failures >= options_.failures;
    if (opens && (!state.isOpen || isTrial)) {
      if (!std::exchange(state.isOpen, true)) state.pause = options_.pause;
      state.nextTrial = now + state.pause;
    }
  } else if (isTrial && state.isOpen) {
    state.nextTrial = clock_.now();
  }
  if (state.waiting == 0 && state.failures == 0) states_.erase(found);
}

CircuitBreaker::Call::Call(CircuitBreaker& breaker, EndpointId endpoint, bool isTrial)
    : breaker_(&breaker), endpoint_(std::move(endpoint)), isTrial_(isTrial) {}

CircuitBreaker::Call::Call(Call&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)),
      endpoint_(std::move(other.endpoint_)),
      isTrial_(other.isTrial_) {}

CircuitBreaker::Call::~Call() {
  if (breaker_ != nullptr) breaker_->end(endpoint_, isTrial_, std::nullopt, {});
}

void CircuitBreaker::Call::answered() noexcept {
  if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->end(endpoint_, isTrial_, true, {});
}

void CircuitBreaker::Call::failed(const std::string& why) {
  if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->end(endpoint_, isTrial_, false, why);
}

}  // namespace stratos::proxy
