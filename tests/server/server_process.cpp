#include "server_process.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stratos::server_test {

namespace {

/// Sanitizers are told how to behave through the environment.
void keepSanitizerOptions(std::vector<std::string>& environment) {
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string{name} + "=" + value);
    }
  }
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ServerProcess::ServerProcess(const Settings& settings, const std::vector<std::string>& arguments,
                             const std::string& workingDirectory) {
  std::vector<std::string> command{STRATOS_SERVER_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
  keepSanitizerOptions(environment);
  for (const auto& [name, value] : settings) environment.push_back(name + "=" + value);
  auto argv = pointersTo(command);
  auto envp = pointersTo(environment);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    if (chdir(workingDirectory.c_str()) != 0) _exit(126);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(ends[1]);
  outputPipe_ = ends[0];
  reader_ = std::thread([this] { readOutput(); });
}

ServerProcess::~ServerProcess() {
  {
    const std::lock_guard lock(mutex_);
    if (!reaped_) kill(pid_, SIGKILL);
  }
  reader_.join();
  if (!reaped_) waitpid(pid_, nullptr, 0);
  close(outputPipe_);
}

void ServerProcess::readOutput() {
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(outputPipe_, buffer, sizeof buffer);
    const std::lock_guard lock(mutex_);
    if (count <= 0) {
      ended_ = true;
      changed_.notify_all();
      return;
    }
    output_.append(buffer, static_cast<std::size_t>(count));
    changed_.notify_all();
  }
}

std::string ServerProcess::waitForLine(const std::string& text, std::chrono::seconds limit) {
  std::unique_lock lock(mutex_);
  std::string line;
  changed_.wait_for(lock, limit, [&] {
    const auto at = output_.find(text);
    if (at == std::string::npos) return ended_;
    const auto end = output_.find('\n', at);
    if (end == std::string::npos) return ended_;
    const auto before = output_.rfind('\n', at);
    const auto start = before == std::string::npos ? 0 : before + 1;
    line = output_.substr(start, end - start);
    return true;
  });
  return line;
}

void ServerProcess::signal(int number) { kill(pid_, number); }

int ServerProcess::waitForExit(std::chrono::seconds limit) {
  {
    // Its output ends when it does.
    std::unique_lock lock(mutex_);
    if (reaped_) return status_;
    if (!changed_.wait_for(lock, limit, [&] { return ended_; })) return -1;
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  const std::lock_guard lock(mutex_);
  reaped_ = true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

std::string ServerProcess::output() {
  const std::lock_guard lock(mutex_);
  return output_;
}

}  // namespace stratos::server_test
