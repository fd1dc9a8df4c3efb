#include "stratos/proxy/proxy_service.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <map>

#include "proxy/byte_budget.hpp"
#include "stratos/base/annotations.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/waiting.hpp"
#include "stratos/proxy/fan_out.hpp"
#include "stratos/proxy/header_policy.hpp"
#include "stratos/proxy/target.hpp"

namespace stratos::proxy {

namespace {

using http::Request;
using http::Response;

/// Checking and compacting this much JSON takes about a millisecond, for which nobody else on the
/// thread would run.
constexpr std::size_t kLongWorkBytes = 256 * 1024;

constexpr const char* kUnknownEndpoint = "No match for that Endpoint";

/// Control fields count only when they hold exactly this text.
bool isOn(const Request& request, std::string_view field) {
  return request.headers.get(field) == "true";
}

/// An answer that was read to its end, so that it can outlive its connection.
struct Collected {
  ForwardResult result;
  std::optional<ByteBudget::Share> share;  ///< What `body` takes.
  std::string body;
  std::string broken;  ///< Why the body ended early, if it did.
};

FanOutEntry entryOf(Collected&& collected) {
  switch (collected.result.status) {
    case ForwardStatus::NotConnected:
      return FanOutEntry::noToken();
    case ForwardStatus::TokenFailed:
    case ForwardStatus::TransportFailed:
      return FanOutEntry::failed(500, "Error proxing request", collected.result.reason);
    case ForwardStatus::HeldBack:
      return FanOutEntry::failed(503, "503 Service Unavailable", collected.result.reason);
    case ForwardStatus::Answered:
      break;
  }
  if (!collected.broken.empty()) return FanOutEntry::brokenOff(collected.broken);
  return FanOutEntry::answered(collected.result.response.status, collected.result.response.reason,
                               std::move(collected.body));
}

/// Reads a body of up to `limit` bytes; empty when `share` cannot grow by so much. Throws as
/// Body::readAll() does.
std::optional<std::string> readWithin(http::Body& body, std::size_t limit,
                                      ByteBudget::Share& share) {
  if (!body.isStream()) {
    if (!share.tryGrow(body.bytes().size())) return std::nullopt;
    return body.readAll(limit);
  }
  std::string all;
  std::array<char, 16 * 1024> piece;
  while (const std::size_t count = body.read(piece.data(), piece.size())) {
    if (count > limit - all.size()) throw Error(ErrorCode::InvalidArgument, "the body is too large");
    if (!share.tryGrow(count)) return std::nullopt;
    all.append(piece.data(), count);
  }
  return all;
}

/// Bytes that count against the budget until they are sent.
class HeldBytes final : public http::BodySource {
 public:
  HeldBytes(std::string bytes, std::vector<ByteBudget::Share> shares)
      : bytes_(std::move(bytes)), shares_(std::move(shares)) {}

  std::size_t read(char* buffer, std::size_t capacity) override {
    return bytes_.read(buffer, capacity);
  }

 private:
  http::Body bytes_;
  std::vector<ByteBudget::Share> shares_;
};

http::Body held(std::string bytes, std::vector<ByteBudget::Share> shares) {
  // A small one is soon sent, in one piece with its head.
  constexpr std::size_t kSmallBytes = 16 * 1024;
  if (bytes.size() <= kSmallBytes) return http::Body(std::move(bytes));
  const std::uint64_t length = bytes.size();
  return http::Body(std::make_unique<HeldBytes>(std::move(bytes), std::move(shares)), length);
}

/// Result slots of calls that run side by side, and whoever waits for them.
class Gathering {
 public:
  explicit Gathering(std::size_t count) : slots_(count), left_(count) {}

  void put(std::size_t index, Collected value, std::exception_ptr error) {
    MutexLock lock(mutex_);
    slots_[index] = std::move(value);
    if (error && !error_) error_ = error;
    if (--left_ == 0) finished_.open();
  }
  /// Waits until all are there; false when that took longer than `limit`.
  bool await(Deadline limit) {
    return finished_.await(limit);
  }
  /// What was gathered; only after await() gave true. Rethrows the first error.
  std::vector<Collected> take() {
    MutexLock lock(mutex_);
    if (error_) std::rethrow_exception(error_);
    return std::move(slots_);
  }

 private:
  Mutex mutex_;
  Gate finished_;
  std::vector<Collected> slots_ STRATOS_GUARDED_BY(mutex_);
  std::size_t left_ STRATOS_GUARDED_BY(mutex_);
  std::exception_ptr error_ STRATOS_GUARDED_BY(mutex_);
};

}  // namespace

class ProxyService::Impl {
 public:
  Impl(endpoint::EndpointRegistry& registry, Forwarder& forwarder, WorkerPool& workers,
       ProxyOptions options)
      : registry_(registry),
        forwarder_(forwarder),
        workers_(workers),
        options_(options),
        budget_(options.fanOutBudgetBytes) {}

  Response list(Request& request, const endpoint::Caller& caller) {
    std::vector<store::EndpointRecord> endpoints;
    for (const auto& part : split(request.headers.get("x-cap-cnsi-list"), ',')) {
      const EndpointId id{std::string{trim(part)}};
      const bool repeated = std::any_of(endpoints.begin(), endpoints.end(),
                                        [&](const auto& known) { return known.id == id; });
      if (repeated) continue;  // Asking twice gives one entry anyway.
      if (endpoints.size() == options_.maxEndpointsPerRequest) {
        return Response::text(400, "Too many endpoints in one request");
      }
      auto record = registry_.findVisible(caller, id);
      if (!record) return Response::text(400, kUnknownEndpoint);
      endpoints.push_back(std::move(*record));
    }
    const bool passthrough = isOn(request, "x-cap-passthrough");
    const bool longRunning = isOn(request, "x-cap-long-running");
    if (endpoints.size() > 1 && passthrough) {
      return Response::text(400,
                            "Requested passthrough to multiple CNSIs. Only single CNSI "
                            "passthroughs are supported");
    }
    if (endpoints.size() > 1 && longRunning) {
      return Response::text(400,
                            "Requested long-running proxy to multiple CNSIs. Only single CNSI "
                            "is supported for long running passthrough");
    }
    const std::string_view apiHost = request.headers.get("x-cap-api-host");
    if (passthrough && !longRunning) {
      return passThrough(request, caller, std::move(endpoints.front()), apiHost,
                         /*withoutToken=*/false);
    }

    const std::size_t share = options_.fanOutTotalLimitBytes / endpoints.size();
    const std::size_t answerLimit = std::min(options_.fanOutBodyLimitBytes, share);
    const std::string body =
        request.body.readAll(std::min(options_.fanOutRequestLimitBytes, share));
    std::vector<ForwardRequest> calls;
    for (const auto& endpoint : endpoints) {
      auto url = targetOf(endpoint, request, apiHost);
      if (!url) return badPath();
      calls.push_back(makeCall(endpoint, std::move(*url), request, caller.user, body, longRunning));
    }
    const Url target = calls.front().url;
    const Deadline answerBy =
        longRunning ? Deadline::after(options_.longRunningAnswer) : Deadline::never();
    auto gathered = gather(std::move(calls), answerLimit, answerBy);
    if (passthrough) return answerLongRunning(std::move(gathered), target);

    std::vector<ByteBudget::Share> shares;
    std::size_t bytes = 0;
    for (std::size_t i = 0; gathered && i < endpoints.size(); ++i) {
      bytes += (*gathered)[i].body.size();
      if ((*gathered)[i].share) shares.push_back(std::move(*(*gathered)[i].share));
    }
    const auto compose = [&] {
      std::map<std::string, FanOutEntry> entries;
      for (std::size_t i = 0; i < endpoints.size(); ++i) {
        entries.emplace(endpoints[i].id.str(), gathered ? entryOf(std::move((*gathered)[i]))
                                                        : FanOutEntry::stillRunning());
      }
      return fanOutBody(entries);
    };
    Response response = Response::json(200, {});
    response.body = held(bytes > kLongWorkBytes ? runBlocking(compose) : compose(),
                         std::move(shares));
    return response;
  }

  Response single(Request& request, const endpoint::Caller& caller) {
    auto record = registry_.findVisible(caller, EndpointId{request.pathParam("uuid")});
    if (!record) return Response::text(400, kUnknownEndpoint);
    return passThrough(request, caller, std::move(*record), {}, isOn(request, "x-cap-no-token"));
  }

 private:
  static Response badPath() {
    return Response::text(400, "The path leaves the endpoint or cannot be understood");
  }

  static std::optional<Url> targetOf(const store::EndpointRecord& endpoint, const Request& request,
                                     std::string_view apiHost) {
    const auto base = Url::tryParse(endpoint.apiUrl);
    if (!base) return std::nullopt;
    const auto path = joinPath(base->rawPath(), request.pathParam("*"));
    if (!path) return std::nullopt;
    Url url = base->withPath(*path, std::string{request.rawQuery()});
    if (apiHost.empty() || endpoint.type != "cf") return url;
    const auto host = overrideHost(base->host(), apiHost);
    if (!host) return std::nullopt;
    return url.withHost(*host);
  }

  ForwardRequest makeCall(store::EndpointRecord endpoint, Url url, const Request& request,
                          const UserId& user, http::Body body, bool longRunning) const {
    const bool reading = request.method == "GET" || request.method == "HEAD";
    const auto limit = longRunning ? options_.timeouts.longRunning
                       : reading   ? options_.timeouts.reading
                                   : options_.timeouts.mutating;
    return ForwardRequest{.endpoint = std::move(endpoint),
                          .user = user,
                          .method = request.method,
                          .url = std::move(url),
                          .headers = requestHeaders(request.headers),
                          .body = std::move(body),
                          .withoutToken = false,
                          .deadline = Deadline::afterOrNever(limit)};
  }

  Response passThrough(Request& request, const endpoint::Caller& caller,
                       store::EndpointRecord endpoint, std::string_view apiHost,
                       bool withoutToken) {
    auto url = targetOf(endpoint, request, apiHost);
    if (!url) return badPath();
    ForwardRequest call = makeCall(std::move(endpoint), std::move(*url), request, caller.user,
                                   std::move(request.body), isOn(request, "x-cap-long-running"));
    call.withoutToken = withoutToken;
    const Url target = call.url;
    ForwardResult result = forwarder_.forward(std::move(call));
    if (result.status != ForwardStatus::Answered) return refusal(result);
    Response response;
    response.status = result.response.status;
    response.headers = responseHeaders(result.response.headers, target);
    response.body = std::move(result.response.body);
    return response;
  }

  static Response refusal(const ForwardResult& result) {
    if (result.status == ForwardStatus::NotConnected) return Response::empty(400);
    // Without Retry-After, which the front end takes for an upgrade of the console.
    if (result.status == ForwardStatus::HeldBack) return Response::text(503, result.reason);
    return Response::text(500, result.reason);
  }

  Response answerLongRunning(std::optional<std::vector<Collected>> gathered,
                                    const Url& target) {
    if (!gathered) return Response::json(202, FanOutEntry::stillRunning().json);
    Collected& only = gathered->front();
    if (only.result.status != ForwardStatus::Answered) return refusal(only.result);
    if (!only.broken.empty()) return Response::text(500, only.broken);
    Response response;
    response.status = only.result.response.status;
    response.headers = responseHeaders(only.result.response.headers, target);
    std::vector<ByteBudget::Share> shares;
    if (only.share) shares.push_back(std::move(*only.share));
    response.body = held(std::move(only.body), std::move(shares));
    return response;
  }

  Collected collect(ForwardRequest call, std::size_t answerLimit) {
    Collected collected;
    collected.result = forwarder_.forward(std::move(call));
    if (collected.result.status != ForwardStatus::Answered) return collected;
    try {
      collected.share.emplace(budget_);
      auto body = readWithin(collected.result.response.body, answerLimit, *collected.share);
      if (body) {
        collected.body = std::move(*body);
      } else {
        collected.broken = "too many large answers are under way; try again later";
      }
    } catch (const Error& error) {
      collected.broken = error.code() == ErrorCode::InvalidArgument
                             ? "the endpoint's answer is too large to be combined with others"
                         : error.code() == ErrorCode::DeadlineExceeded
                             ? "the endpoint did not finish its answer in time"
                             : "the endpoint broke off its answer";
    }
    return collected;
  }

  /// One of the calls; whoever claims it first runs it.
  struct Task {
    explicit Task(ForwardRequest request) : call(std::move(request)) {}
    std::atomic_flag claimed;
    ForwardRequest call;
  };

  /// Runs the calls side by side and waits for them. Empty when `answerBy` passed first: they then
  /// go on without anybody waiting. Never depends on a free worker unless `answerBy` bounds the
  /// wait.
  std::optional<std::vector<Collected>> gather(std::vector<ForwardRequest> calls,
                                               std::size_t answerLimit, Deadline answerBy) {
    auto gathering = std::make_shared<Gathering>(calls.size());
    const auto run = [this, answerLimit](Gathering& to, std::size_t index, Task& task) noexcept {
      if (task.claimed.test_and_set()) return;
      try {
        to.put(index, collect(std::move(task.call), answerLimit), nullptr);
      } catch (...) {
        to.put(index, {}, std::current_exception());
      }
    };
    std::vector<std::shared_ptr<Task>> tasks;
    for (auto& call : calls) tasks.push_back(std::make_shared<Task>(std::move(call)));
    // The last one runs here, unless the answer may have to be given before it is done.
    const bool here = answerBy.isNever();
    const std::size_t handedOver = here ? tasks.size() - 1 : tasks.size();
    for (std::size_t i = 0; i < handedOver; ++i) {
      const auto begin = [run, gathering, i, task = tasks[i]] { run(*gathering, i, *task); };
      bool queued = true;
      if (Waiter* const waiter = Waiter::current(); waiter != nullptr) {
        waiter->start(begin, here ? Waiter::Bond::EndsWithMe : Waiter::Bond::None);
      } else {
        queued = workers_.trySubmit(begin);
      }
      if (!queued && !here) run(*gathering, i, *tasks[i]);  // Slower, but served.
    }
    // Then whatever no worker has begun: a queue behind long calls must not hold this one up.
    for (std::size_t i = tasks.size(); here && i > 0; --i) run(*gathering, i - 1, *tasks[i - 1]);
    if (!gathering->await(answerBy)) return std::nullopt;
    return gathering->take();
  }

  endpoint::EndpointRegistry& registry_;
  Forwarder& forwarder_;
  WorkerPool& workers_;
  const ProxyOptions options_;
  ByteBudget budget_;
};

ProxyService::ProxyService(endpoint::EndpointRegistry& registry, Forwarder& forwarder,
                           WorkerPool& workers, ProxyOptions options)
    : impl_(std::make_unique<Impl>(registry, forwarder, workers, options)) {}

ProxyService::~ProxyService() = default;

Response ProxyService::handleList(Request& request, const endpoint::Caller& caller) {
  return impl_->list(request, caller);
}

Response ProxyService::handleSingle(Request& request, const endpoint::Caller& caller) {
  return impl_->single(request, caller);
}

}  // namespace stratos::proxy
