#include "signals.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "stratos/base/error.hpp"

namespace stratos::server {

SignalWatcher::SignalWatcher() : wakeDescriptor_(::eventfd(0, EFD_CLOEXEC)) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  signalDescriptor_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
  if (wakeDescriptor_ < 0 || signalDescriptor_ < 0 ||
      pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    throw Error(ErrorCode::Internal, std::string("Cannot watch signals: ") + std::strerror(errno));
  }
  thread_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wakeDescriptor_, &one, sizeof one));
  thread_.join();
  ::close(signalDescriptor_);
  ::close(wakeDescriptor_);
}

void SignalWatcher::watch() noexcept {
  for (;;) {
    std::array<pollfd, 2> entries{pollfd{signalDescriptor_, POLLIN, 0},
                                  pollfd{wakeDescriptor_, POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), -1) < 0) continue;
    if (entries[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signalDescriptor_, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGHUP) {
      const std::lock_guard lock(mutex_);
      isHungUp_ = true;
      hungUp_.notify_all();
      continue;
    }
    if (!stop_.request_stop()) std::_Exit(EXIT_FAILURE);
  }
}

bool SignalWatcher::awaitHangUp(std::chrono::milliseconds limit,
                                const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  hungUp_.wait_for(lock, stop, limit, [this] { return isHungUp_; });
  return std::exchange(isHungUp_, false);
}

void waitForStop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait(lock, stop, [] { return false; });
}

}  // namespace stratos::server
