#include "replica_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stratos::broker_test {

namespace {

/// Far more than anything here takes: only a defect gets there.
constexpr std::chrono::seconds kLimit{90};

}  // namespace

ReplicaProcess::ReplicaProcess(std::vector<std::string> environment) {
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string{name} + "=" + value);
    }
  }
  std::string program = STRATOS_BROKER_REPLICA;
  std::array<char*, 2> argv{program.data(), nullptr};
  std::vector<char*> envp;
  for (std::string& each : environment) envp.push_back(each.data());
  envp.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair failed");
  }
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    // A test that crashes must not leave processes behind.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ::_exit(126);
    ::dup2(ends[1], STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  socket_ = ends[0];
  reader_ = std::thread([this] { read(); });
  try {
    (void)take("ready");
  } catch (...) {
    kill();
    ::close(socket_);
    throw;
  }
}

ReplicaProcess::~ReplicaProcess() {
  kill();
  ::close(socket_);
}

void ReplicaProcess::read() {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (count <= 0) {
      ended_ = true;
      changed_.notify_all();
      return;
    }
    rest_.append(buffer.data(), static_cast<std::size_t>(count));
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      lines_.push_back(rest_.substr(0, end));
      rest_.erase(0, end + 1);
    }
    changed_.notify_all();
  }
}

void ReplicaProcess::send(const std::string& command) {
  const std::string line = command + "\n";
  if (::send(socket_, line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    throw std::runtime_error("a replica that is gone cannot \"" + command + "\"");
  }
}

std::vector<std::string> ReplicaProcess::take(const std::string& start, std::size_t count) {
  std::vector<std::string> taken;
  const auto end = std::chrono::steady_clock::now() + kLimit;
  std::unique_lock lock(mutex_);
  for (;;) {
    for (auto it = lines_.begin(); it != lines_.end() && taken.size() < count;) {
      if (!it->starts_with(start)) {
        ++it;
        continue;
      }
      taken.push_back(std::move(*it));
      it = lines_.erase(it);
    }
    if (taken.size() == count) return taken;
    if (ended_ || changed_.wait_until(lock, end) == std::cv_status::timeout) break;
  }
  std::string all = "no \"" + start + "\" from a replica that " +
                    (ended_ ? "has ended" : "is alive") + "; it wrote:\n";
  for (const std::string& line : lines_) all += line + "\n";
  throw std::runtime_error(all + rest_);
}

bool ReplicaProcess::has(const std::string& start) {
  const std::lock_guard lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const std::string& line) { return line.starts_with(start); });
}

void ReplicaProcess::drop(const std::string& start) {
  const std::lock_guard lock(mutex_);
  std::erase_if(lines_, [&](const std::string& line) { return line.starts_with(start); });
}

void ReplicaProcess::kill() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  (void)reap();
}

int ReplicaProcess::finish() noexcept {
  ::shutdown(socket_, SHUT_WR);
  return reap();
}

int ReplicaProcess::reap() noexcept {
  if (pid_ <= 0) return 0;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  reader_.join();  // Its output ended with it.
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace stratos::broker_test
