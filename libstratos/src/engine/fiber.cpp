#include "engine/fiber.hpp"

#include <cerrno>
#include <utility>

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/loop_impl.hpp"
#include "stratos/base/error.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define STRATOS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STRATOS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define STRATOS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRATOS_TSAN 1
#endif
#endif
#ifdef STRATOS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef STRATOS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace stratos::engine {

namespace {

std::size_t pageBytes() {
  static const auto kBytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return kBytes;
}

}  // namespace

Stack::Stack(std::size_t bytes) {
  const std::size_t page = pageBytes();
  mapped_ = (bytes + page - 1) / page * page + page;
  void* const memory = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorCode::Unavailable, "There is no memory for another request");
  }
  memory_ = static_cast<std::byte*>(memory);
  if (::mprotect(memory_, page, PROT_NONE) != 0) {
    ::munmap(memory_, mapped_);
    throw Error(ErrorCode::Unavailable, "There is no memory for another request");
  }
}

Stack::~Stack() {
  if (memory_ != nullptr) ::munmap(memory_, mapped_);
}

Stack::Stack(Stack&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), mapped_(std::exchange(other.mapped_, 0)) {}

Stack& Stack::operator=(Stack&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

std::byte* Stack::bottom() const noexcept { return memory_ + pageBytes(); }
std::size_t Stack::size() const noexcept { return mapped_ - pageBytes(); }

Fiber::~Fiber() { dropStack(); }

void Fiber::prepare(std::function<void()> body, std::size_t stackBytes) {
  if (stack_.empty()) {
    stack_ = Stack(stackBytes);
#ifdef STRATOS_TSAN
    tsanFiber_ = __tsan_create_fiber(0);
#endif
    here_ = boost::context::detail::make_fcontext(stack_.bottom() + stack_.size(), stack_.size(),
                                                  &Fiber::main);
  }
  body_ = std::move(body);
  ++generation;
  cancelled = false;
  bound.clear();
  permit_ = false;
  state = State::Ready;
}

void Fiber::dropStack() {
  if (stack_.empty()) return;
  mustEnd_ = true;
  resume();
  mustEnd_ = false;
  fakeStack_ = nullptr;
#ifdef STRATOS_TSAN
  __tsan_destroy_fiber(tsanFiber_);
#endif
  stack_ = Stack();
}

// Inlined, since ThreadSanitizer counts calls and returns: both belong to the same flow.
[[gnu::always_inline]] inline void Fiber::enter() {
#ifdef STRATOS_ASAN
  __sanitizer_finish_switch_fiber(fakeStack_, &loopBottom_, &loopSize_);
#endif
}

[[gnu::always_inline]] inline void Fiber::leave([[maybe_unused]] bool forEver) {
#ifdef STRATOS_ASAN
  __sanitizer_start_switch_fiber(forEver ? nullptr : &fakeStack_, loopBottom_, loopSize_);
#endif
#ifdef STRATOS_TSAN
  __tsan_switch_to_fiber(tsanLoop_, 0);
#endif
}

void Fiber::main(boost::context::detail::transfer_t from) {
  Fiber& fiber = *static_cast<Fiber*>(from.data);
  fiber.there_ = from.fctx;
  fiber.enter();
  fiber.runFlows();
  fiber.leave(true);
  boost::context::detail::jump_fcontext(fiber.there_, nullptr);
}

void Fiber::swapExceptions(Exceptions& stored) noexcept {
  auto* const globals = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
  std::swap(*globals, stored);
}

void Fiber::resume() {
  state = State::Running;
  swapExceptions(exceptions_);
  setCurrent(this);
#ifdef STRATOS_ASAN
  __sanitizer_start_switch_fiber(&loopFakeStack_, stack_.bottom(), stack_.size());
#endif
#ifdef STRATOS_TSAN
  tsanLoop_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsanFiber_, 0);
#endif
  here_ = boost::context::detail::jump_fcontext(here_, this).fctx;
#ifdef STRATOS_ASAN
  __sanitizer_finish_switch_fiber(loopFakeStack_, nullptr, nullptr);
#endif
  setCurrent(nullptr);
  swapExceptions(exceptions_);
}

void Fiber::suspend(State reason) {
  state = reason;
  leave(false);
  there_ = boost::context::detail::jump_fcontext(there_, nullptr).fctx;
  enter();
}

void Fiber::runFlows() {
  while (!mustEnd_) {
    body_();
    body_ = nullptr;
    suspend(State::Free);
  }
}

short Fiber::awaitReady(const Waitable& file, short events, Deadline until) {
  if (cancelled) return kWaitCancelled;
  if (until.hasPassed()) return 0;
  if (const short news = loop_.await(*this, file, events); news != 0) return news;
  loop_.arm(*this, until);
  suspend(State::Awaiting);
  loop_.forget(*this);
  return outcome;
}

bool Fiber::mayHaveInput(const Waitable& file) const noexcept { return loop_.mayHaveInput(file); }

bool Fiber::park(Deadline until) {
  if (std::exchange(permit_, false)) return true;
  if (cancelled || until.hasPassed()) return false;
  loop_.arm(*this, until);
  suspend(State::Parked);
  return std::exchange(permit_, false);
}

void Fiber::unpark() noexcept {
  loop_.post([this, flow = generation] {
    if (generation != flow) return;
    permit_ = true;
    if (state == State::Parked) loop_.resume(*this);
  });
}

void Fiber::yield() {
  loop_.resumeLater(*this);
  suspend(State::Yielded);
}

void Fiber::runBlocking(const std::function<void()>& work, BlocksOn what) {
  // What runs there must see this flow as it is now, and this flow the end of it: the pool's and
  // the loop's queues are the fences.
  const bool queued = loop_.blocking(what).trySubmit([this, &work] {
    work();
    loop_.post([this] { loop_.resume(*this); });
  });
  if (!queued) {
    throw Error(ErrorCode::Unavailable,
                what == BlocksOn::Network    ? "Too many requests wait for the network"
                : what == BlocksOn::Database ? "Too many requests wait for the database"
                                             : "Too many requests wait for their turn");
  }
  suspend(State::Blocked);
}

void Fiber::start(std::function<void()> task, Bond bond) {
  const FiberId id = loop_.spawn(std::move(task));
  if (bond == Bond::None) return;
  bound.push_back(id);
  if (cancelled) id.fiber->cancelled = true;
}

}  // namespace stratos::engine
