#include "stratos/engine/event_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/loop_impl.hpp"
#include "stratos/base/error.hpp"

namespace stratos::engine {

namespace {

// For these bits epoll(7) and poll(2) agree.
static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
              EPOLLHUP == POLLHUP && EPOLLPRI == POLLPRI);
constexpr std::uint32_t kPollEvents = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLPRI;
constexpr std::uint32_t kAlways = EPOLLERR | EPOLLHUP;

int checked(int result, const char* what) {
  if (result < 0) {
    throw Error(ErrorCode::Internal, std::string(what) + ": " + std::strerror(errno));
  }
  return result;
}

}  // namespace

EventLoop::Impl::Impl(WorkerPool& blocking, EventLoopOptions options)
    : blocking_(blocking),
      options_(options),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) {
    ::close(epoll_);
    checked(wake_, "eventfd");
  }
  control(EPOLL_CTL_ADD, wake_, EPOLLIN, 0);
}

EventLoop::Impl::~Impl() {
  places_.clear();
  ::close(wake_);
  ::close(epoll_);
}

void EventLoop::Impl::run() {
  std::array<epoll_event, 256> events;
  for (;;) {
    runPosted();
    runReady();
    runTimers();
    // What these have begun may have more to do at once.
    if (!ready_.empty()) continue;
    if (stopping_ && active_ == 0) return;
    // Who yields while events are seen to waits for the next ones.
    turn_.swap(yielded_);
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   timeoutMilliseconds());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const auto descriptor = static_cast<int>(event.data.u64 & 0xffffffffU);
      if (descriptor == wake_) {
        std::uint64_t ignored = 0;
        static_cast<void>(!::read(wake_, &ignored, sizeof ignored));
      } else {
        dispatch(descriptor, static_cast<std::uint32_t>(event.data.u64 >> 32U), event.events);
      }
    }
    for (Fiber* const fiber : turn_) resume(*fiber);
    turn_.clear();
  }
}

void EventLoop::Impl::stop() {
  post([this] { stopping_ = true; });
}

void EventLoop::Impl::post(std::function<void()> task) {
  const MutexLock lock(mutex_);
  posted_.push_back(std::move(task));
  // Under the lock: when the loop has seen the task, nobody touches the loop for it any more.
  if (posted_.size() == 1) wake();
}

void EventLoop::Impl::wake() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_, &one, sizeof one));
}

void EventLoop::Impl::runPosted() {
  {
    const MutexLock lock(mutex_);
    running_.swap(posted_);
  }
  for (auto& task : running_) task();
  running_.clear();
}

FiberId EventLoop::Impl::spawn(std::function<void()> body) {
  Fiber& fiber = takePlace();
  try {
    fiber.prepare(std::move(body), options_.stackBytes);
  } catch (...) {
    fiber.state = Fiber::State::Free;
    stackless_.push_back(&fiber);
    throw;
  }
  ++active_;
  const FiberId id{&fiber, fiber.generation};
  if (Waiter::current() != nullptr) {
    ready_.push_back(&fiber);
  } else {
    resume(fiber);
  }
  return id;
}

Fiber& EventLoop::Impl::takePlace() {
  for (std::vector<Fiber*>* const places : {&free_, &stackless_}) {
    if (places->empty()) continue;
    Fiber& fiber = *places->back();
    places->pop_back();
    return fiber;
  }
  return *places_.emplace_back(std::make_unique<Fiber>(*this));
}

void EventLoop::Impl::resume(Fiber& fiber) {
  fiber.resume();
  if (fiber.state == Fiber::State::Free) retire(fiber);
}

void EventLoop::Impl::retire(Fiber& fiber) {
  --active_;
  ++fiber.generation;
  if (free_.size() < options_.keptStacks) {
    free_.push_back(&fiber);
  } else {
    fiber.dropStack();
    fiber.state = Fiber::State::Free;
    stackless_.push_back(&fiber);
  }
}

void EventLoop::Impl::runReady() {
  // By index: a flow that begins may start more.
  for (std::size_t i = 0; i < ready_.size(); ++i) resume(*ready_[i]);
  ready_.clear();
}

void EventLoop::Impl::cancel(FiberId id) noexcept {
  if (id.fiber == nullptr || id.fiber->generation != id.generation) return;
  Fiber& fiber = *id.fiber;
  fiber.cancelled = true;
  // They may end their flows while this goes on; what is started from now on sees it by itself.
  const std::vector<FiberId> bound = std::exchange(fiber.bound, {});
  for (const FiberId& other : bound) cancel(other);
  if (fiber.generation != id.generation) return;
  if (fiber.state == Fiber::State::Awaiting || fiber.state == Fiber::State::Parked) {
    fiber.outcome = kWaitCancelled;
    resume(fiber);
  }
}

void EventLoop::Impl::cancelAll() noexcept {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i]->state != Fiber::State::Free) cancel({places_[i].get(), places_[i]->generation});
  }
}

EventLoop::Impl::Interest& EventLoop::Impl::interestIn(int descriptor) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= interests_.size()) interests_.resize(std::max(index + 1, interests_.size() * 2));
  return interests_[index];
}

void EventLoop::Impl::control(int operation, int descriptor, std::uint32_t events,
                              std::uint32_t turn) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{turn} << 32U | static_cast<std::uint32_t>(descriptor);
  checked(::epoll_ctl(epoll_, operation, descriptor, &event), "epoll_ctl");
}

void EventLoop::Impl::watch(int descriptor, std::uint32_t events, Watch& watch) {
  Interest& interest = interestIn(descriptor);
  interest.number = 0;
  control(EPOLL_CTL_ADD, descriptor, events, ++interest.turn);
  interest.watch = &watch;
}

void EventLoop::Impl::unwatch(int descriptor) noexcept {
  Interest& interest = interestIn(descriptor);
  if (interest.watch == nullptr) return;
  interest.watch = nullptr;
  ++interest.turn;
  static_cast<void>(::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr));
}

short EventLoop::Impl::await(Fiber& fiber, const Waitable& file, short events) {
  Interest& interest = interestIn(file.descriptor());
  if (interest.fiber != nullptr) {
    throw Error(ErrorCode::Internal, "two flows wait for the same descriptor");
  }
  if (interest.watch == nullptr && file.number() != 0) {
    if (interest.number != file.number()) keepWatching(interest, file);
    const std::uint32_t news = interest.news;
    if ((news & (static_cast<std::uint32_t>(events) | kAlways)) != 0) {
      // It may have been dealt with meanwhile: then the flow comes back and waits for what is new.
      interest.news &= ~static_cast<std::uint32_t>(events);
      return static_cast<short>(news & kPollEvents);
    }
  } else if (interest.watch == nullptr) {
    interest.number = 0;
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(events) | EPOLLONESHOT;
    event.data.u64 =
        std::uint64_t{++interest.turn} << 32U | static_cast<std::uint32_t>(file.descriptor());
    // Most descriptors have been waited for before; a new file under an old number is new to epoll.
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, file.descriptor(), &event) != 0) {
      checked(errno == ENOENT ? ::epoll_ctl(epoll_, EPOLL_CTL_ADD, file.descriptor(), &event) : -1,
              "epoll_ctl");
    }
  }
  interest.fiber = &fiber;
  interest.events = events;
  fiber.descriptor = file.descriptor();
  return 0;
}

// Until it is closed, which takes it from epoll's list: its number tells the next file apart.
void EventLoop::Impl::keepWatching(Interest& interest, const Waitable& file) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 =
      std::uint64_t{++interest.turn} << 32U | static_cast<std::uint32_t>(file.descriptor());
  interest.number = 0;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, file.descriptor(), &event) != 0) {
    checked(errno == EEXIST ? ::epoll_ctl(epoll_, EPOLL_CTL_MOD, file.descriptor(), &event) : -1,
            "epoll_ctl");
  }
  interest.number = file.number();
  interest.news = 0;
}

bool EventLoop::Impl::mayHaveInput(const Waitable& file) const noexcept {
  const auto index = static_cast<std::size_t>(file.descriptor());
  if (file.number() == 0 || index >= interests_.size()) return true;
  const Interest& interest = interests_[index];
  return interest.number != file.number() || (interest.news & ~std::uint32_t{EPOLLOUT}) != 0;
}

void EventLoop::Impl::forget(Fiber& fiber) noexcept {
  interests_[static_cast<std::size_t>(fiber.descriptor)].fiber = nullptr;
  fiber.descriptor = -1;
}

void EventLoop::Impl::dispatch(int descriptor, std::uint32_t turn, std::uint32_t events) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= interests_.size() || interests_[index].turn != turn) return;
  if (Watch* const watch = interests_[index].watch; watch != nullptr) {
    watch->onEvents(events);
    if (interests_[index].turn != turn) return;
  }
  Interest& interest = interests_[index];
  Fiber* const fiber = interest.fiber;
  const std::uint32_t wanted = static_cast<std::uint32_t>(interest.events) | kAlways;
  const bool isWanted =
      fiber != nullptr && fiber->state == Fiber::State::Awaiting && (events & wanted) != 0;
  // What was not waited for now is told to the next who waits: there is no second event for it.
  if (interest.number != 0) {
    interest.news |= events;
    if (isWanted) interest.news &= ~static_cast<std::uint32_t>(interest.events);
  }
  if (!isWanted) return;
  fiber->outcome = static_cast<short>(events & kPollEvents);
  resume(*fiber);
}

void EventLoop::Impl::arm(Fiber& fiber, Deadline deadline) {
  fiber.deadline = deadline;
  // An earlier look finds out that there is time left: most waits end before theirs is over.
  if (deadline.isNever() || fiber.armedFor <= deadline.at()) return;
  fiber.armedFor = deadline.at();
  timers_.push({deadline.at(), &fiber});
}

void EventLoop::Impl::runTimers() {
  const auto now = Steady::now();
  while (!timers_.empty() && timers_.top().at <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    Fiber& fiber = *timer.fiber;
    if (fiber.armedFor != timer.at) continue;
    fiber.armedFor = Steady::time_point::max();
    const bool waits =
        fiber.state == Fiber::State::Awaiting || fiber.state == Fiber::State::Parked;
    if (!waits || fiber.deadline.isNever()) continue;
    if (fiber.deadline.at() > now) {
      arm(fiber, fiber.deadline);
    } else {
      fiber.outcome = 0;
      resume(fiber);
    }
  }
  if (tick_ && now >= nextTick_) {
    nextTick_ = now + tickInterval_;
    tick_();
  }
}

int EventLoop::Impl::timeoutMilliseconds() const {
  if (!turn_.empty()) return 0;
  auto at = nextTick_;
  if (!timers_.empty()) at = std::min(at, timers_.top().at);
  if (at == Steady::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(at - Steady::now()).count();
  constexpr std::int64_t kLongest = 60'000;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongest));
}

void EventLoop::Impl::setTick(std::chrono::milliseconds interval, std::function<void()> tick) {
  tickInterval_ = interval;
  tick_ = std::move(tick);
  nextTick_ = Steady::now() + interval;
}

EventLoop::EventLoop(WorkerPool& blocking, EventLoopOptions options)
    : impl_(std::make_unique<Impl>(blocking, options)) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() { impl_->run(); }
void EventLoop::stop() { impl_->stop(); }
void EventLoop::post(std::function<void()> task) { impl_->post(std::move(task)); }
std::size_t EventLoop::fibers() const noexcept { return impl_->fibers(); }
FiberId EventLoop::spawn(std::function<void()> body) { return impl_->spawn(std::move(body)); }
void EventLoop::cancel(FiberId fiber) noexcept { impl_->cancel(fiber); }
void EventLoop::cancelAll() noexcept { impl_->cancelAll(); }
void EventLoop::watch(int descriptor, std::uint32_t events, Watch& watch) {
  impl_->watch(descriptor, events, watch);
}
void EventLoop::unwatch(int descriptor) noexcept { impl_->unwatch(descriptor); }
void EventLoop::setTick(std::chrono::milliseconds interval, std::function<void()> tick) {
  impl_->setTick(interval, std::move(tick));
}

}  // namespace stratos::engine
