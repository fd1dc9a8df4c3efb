#include "stratos/ext/endpoints_file.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/store/declared_endpoint_store.hpp"

namespace stratos::ext {
namespace {

using endpoint::ChangeResult;
using endpoint::ChangeStatus;
using endpoint::Registration;
using store::EndpointRecord;

// Stands where a user's name stands.
constexpr const char* kAccount = "endpoints file";

endpoint::Caller theOperator() {
  return {.user = UserId{}, .isAdmin = [] { return true; }};
}

EndpointRecord* findByAddress(std::vector<EndpointRecord>& records, const std::string& address) {
  const Url url = Url::parse(address).withoutTrailingSlash();
  const auto it = std::find_if(records.begin(), records.end(), [&](const EndpointRecord& record) {
    const auto other = Url::tryParse(record.apiUrl);
    return other && other->withoutTrailingSlash() == url;
  });
  return it == records.end() ? nullptr : &*it;
}

/// What has to be changed in `record`; empty when nothing has to. A client that the file does not
/// name stays.
std::optional<endpoint::EndpointChange> difference(const EndpointRecord& record,
                                                   const Registration& wanted) {
  endpoint::EndpointChange change;
  bool differs = false;
  const auto compare = [&](const auto& present, const auto& want, auto& field) {
    if (present == want) return;
    field = want;
    differs = true;
  };
  compare(record.name, wanted.name, change.name);
  compare(record.skipSslValidation, wanted.skipSslValidation, change.skipSslValidation);
  compare(record.ssoAllowed, wanted.ssoAllowed, change.ssoAllowed);
  compare(record.caCertificate, wanted.caCertificate, change.caCertificate);
  if (!wanted.clientId.empty() && (record.clientId != wanted.clientId ||
                                   record.clientSecret.reveal() != wanted.clientSecret.reveal())) {
    change.clientId = wanted.clientId;
    change.clientSecret = wanted.clientSecret;
    differs = true;
  }
  return differs ? std::optional(std::move(change)) : std::nullopt;
}

// Returns early when a stop is requested.
void wait(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

DeclaredEndpoints::DeclaredEndpoints(EndpointsFile file, DeclaredEndpointsOptions options)
    : path_(std::move(file.path)), prune_(file.prune), options_(options) {
  for (DeclaredEndpoint& declared : file.endpoints)
    entries_.push_back({std::move(declared), {}, {}});
}

std::vector<EndpointRecord> DeclaredEndpoints::listPresent() {
  std::vector<EndpointRecord> records = host_->endpoints().listVisible(theOperator());
  // Endpoints of users are theirs.
  std::erase_if(records, [](const EndpointRecord& record) { return !record.creator.empty(); });
  return records;
}

ReconcileReport DeclaredEndpoints::reconcile(const std::stop_token& stop) {
  ReconcileReport report;
  std::vector<EndpointRecord> present = listPresent();
  for (Entry& entry : entries_) {
    if (stop.stop_requested()) break;
    if (entry.state == State::Open) apply(entry, present, report);
    if (entry.state == State::Open) ++report.pending;
  }
  if (!pruned_ && !stop.stop_requested()) {
    prune(present, report);
    pruned_ = true;
  }
  return report;
}

void DeclaredEndpoints::apply(Entry& entry, std::vector<EndpointRecord>& present,
                              ReconcileReport& report) {
  endpoint::EndpointRegistry& registry = host_->endpoints();
  const Registration& wanted = entry.declared.registration;
  const auto deadline = [this] { return Deadline::after(options_.probeTimeout); };
  const EndpointRecord* record = findByAddress(present, wanted.apiUrl);
  if (record == nullptr) {
    const ChangeResult added = registry.add(theOperator(), wanted, deadline());
    if (added.status == ChangeStatus::Done) {
      store::DeclaredEndpointStore(host_->database()).mark(added.record.id);
      ++report.registered;
    }
    if (added.status != ChangeStatus::Duplicate) {
      settle(entry, added, "endpoint.register", report);
      return;
    }
    // Another replica was faster.
    present = listPresent();
    record = findByAddress(present, wanted.apiUrl);
    if (record == nullptr) return;  // And it is gone again; the next pass sees.
  }
  if (record->type != wanted.type || record->subType != wanted.subType) {
    ChangeResult refusal;
    refusal.status = ChangeStatus::Invalid;
    refusal.message = "an endpoint with this url is registered as type " + record->type +
                      (record->subType.empty() ? "" : "/" + record->subType) +
                      "; unregister that one, or mend the file";
    settle(entry, refusal, "endpoint.update", report);
    return;
  }
  const auto change = difference(*record, wanted);
  if (!change) {
    entry.state = State::Settled;
    ++report.unchanged;
    return;
  }
  const ChangeResult changed = registry.update(theOperator(), record->id, *change, deadline());
  if (changed.status == ChangeStatus::NotFound)
    return;  // Just unregistered: the next pass adds it.
  if (changed.status == ChangeStatus::Done) ++report.changed;
  settle(entry, changed, "endpoint.update", report);
}

void DeclaredEndpoints::settle(Entry& entry, const ChangeResult& result, std::string_view action,
                               ReconcileReport& report) {
  const Registration& wanted = entry.declared.registration;
  if (result.status == ChangeStatus::Done) {
    entry.state = State::Settled;
    audit(action, "success", result.record.id.str(), {});
    return;
  }
  const bool worthAnotherTry =
      result.status == ChangeStatus::ProbeFailed || result.status == ChangeStatus::TlsFailure;
  if (!worthAnotherTry) {
    entry.state = State::Refused;
    ++report.refused;
  }
  if (entry.lastReason == result.message) return;
  entry.lastReason = result.message;
  log(host_->log(), worthAnotherTry ? LogLevel::Warning : LogLevel::Error,
      worthAnotherTry ? "an endpoint of the endpoints file cannot be used yet; trying again"
                      : "an endpoint of the endpoints file is refused",
      {{"name", wanted.name},
       {"url", wanted.apiUrl},
       {"file", path_.string()},
       {"line", entry.declared.line},
       {"reason", result.message}});
  audit(action, "failed", wanted.apiUrl, result.message);
}

void DeclaredEndpoints::prune(const std::vector<EndpointRecord>& present, ReconcileReport& report) {
  store::DeclaredEndpointStore marks(host_->database());
  for (const EndpointId& id : marks.list()) {
    const auto record = std::find_if(present.begin(), present.end(),
                                     [&](const EndpointRecord& each) { return each.id == id; });
    // Those that this very pass has registered are not in the list: their marks are looked at by
    // address, so nothing that the file names goes.
    const bool wanted = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      const Url url = Url::parse(entry.declared.registration.apiUrl).withoutTrailingSlash();
      if (record != present.end()) {
        const auto other = Url::tryParse(record->apiUrl);
        return other && other->withoutTrailingSlash() == url;
      }
      return endpoint::EndpointRegistry::idFor(url.str(), UserId{}) == id;
    });
    if (wanted || !prune_) continue;
    const ChangeResult removed = host_->endpoints().remove(theOperator(), id);
    if (removed.status == ChangeStatus::NotFound) {
      marks.forget(id);
      continue;
    }
    if (removed.status != ChangeStatus::Done) {
      throw Error(ErrorCode::Internal, "an endpoint cannot be removed: " + removed.message);
    }
    ++report.removed;
    audit("endpoint.unregister", "success", id.str(), {});
  }
}

void DeclaredEndpoints::audit(std::string_view action, std::string_view outcome,
                              std::string_view target, std::string_view reason) {
  host_->audit(http::Request{}, {.action = action,
                                 .outcome = outcome,
                                 .user = {},
                                 .account = kAccount,
                                 .target = target,
                                 .reason = reason});
}

void DeclaredEndpoints::run(const std::stop_token& stop) noexcept {
  std::chrono::milliseconds pause = options_.firstWait;
  std::string lastReason;
  for (bool first = true; !stop.stop_requested(); first = false) {
    bool again = false;
    try {
      const ReconcileReport report = reconcile(stop);
      again = report.pending > 0;
      if (first || !again || !lastReason.empty()) {
        log(host_->log(), LogLevel::Info, "endpoints file",
            {{"file", path_.string()},
             {"registered", report.registered},
             {"changed", report.changed},
             {"unchanged", report.unchanged},
             {"removed", report.removed},
             {"refused", report.refused},
             {"pending", report.pending}});
      }
      lastReason.clear();
    } catch (const std::exception& e) {
      again = true;
      if (lastReason != e.what()) {
        lastReason = e.what();
        log(host_->log(), LogLevel::Warning, "the endpoints file cannot be applied; trying again",
            {{"file", path_.string()}, {"reason", lastReason}});
      }
    }
    if (!again) return;
    wait(pause, stop);
    pause = std::min(pause * 2, options_.longestWait);
  }
}

}  // namespace stratos::ext
