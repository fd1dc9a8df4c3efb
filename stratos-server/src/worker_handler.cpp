#include "worker_handler.hpp"

#include <csignal>
#include <exception>
#include <memory>
#include <utility>

#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"

namespace stratos::server {
namespace {

/// Bodies up to this size are there before a worker is taken; a sign-in has some hundred bytes.
constexpr std::size_t kSmallBodyBytes = 16 * 1024;

template <class Work>
auto onWorker(Work&& work) {
  return runBlocking(
      [&] {
        blockSigpipe();
        return work();
      },
      Waiter::BlocksOn::Anything);
}

/// What reading a body came to, for whoever reads it later.
class BrokenBody final : public http::BodySource {
 public:
  explicit BrokenBody(std::exception_ptr error) : error_(std::move(error)) {}
  std::size_t read(char*, std::size_t) override { std::rethrow_exception(error_); }

 private:
  std::exception_ptr error_;
};

/// A body whose source may block.
class WorkerBody final : public http::BodySource {
 public:
  explicit WorkerBody(http::Body inner) : inner_(std::move(inner)) {}
  std::size_t read(char* buffer, std::size_t capacity) override {
    return onWorker([&] { return inner_.read(buffer, capacity); });
  }

 private:
  http::Body inner_;
};

void readSmallBody(http::Request& request) {
  const auto length = request.body.length();
  // A client that asks first whether it may send is told so by the handler's first read.
  if (!request.body.isStream() || !length || *length > kSmallBodyBytes ||
      request.headers.has("Expect")) {
    return;
  }
  try {
    request.body = http::Body(request.body.readAll(kSmallBodyBytes));
  } catch (const Error&) {
    request.body =
        http::Body(std::make_unique<BrokenBody>(std::current_exception()), length);
  }
}

}  // namespace

void blockSigpipe() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

http::Response WorkerHandler::handle(http::Request& request) {
  readSmallBody(request);
  http::Response response = onWorker([&] { return inner_.handle(request); });
  if (response.body.isStream()) {
    const auto length = response.body.length();
    response.body = http::Body(std::make_unique<WorkerBody>(std::move(response.body)), length);
  }
  return response;
}

}  // namespace stratos::server
