#include "stratos/endpoint/endpoint_registry.hpp"

#include <algorithm>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/digest.hpp"

namespace stratos::endpoint {

namespace {

using store::EndpointRecord;

constexpr std::size_t kMaxText = 255;  // Width of the columns.

ChangeResult refused(ChangeStatus status, std::string message) {
  ChangeResult result;
  result.status = status;
  result.message = std::move(message);
  return result;
}

ChangeResult done(EndpointRecord record) {
  ChangeResult result;
  result.record = std::move(record);
  return result;
}

/// Same address, however it was spelt when it was registered.
bool sameAddress(const EndpointRecord& record, const Url& url) {
  const auto other = Url::tryParse(record.apiUrl);
  return other ? other->withoutTrailingSlash() == url : record.apiUrl == url.str();
}

/// Why the text of a field cannot be stored; empty when it can.
std::string textProblem(std::string_view field, std::string_view text) {
  const std::string name{field};
  if (text.size() > kMaxText) {
    return name + " is longer than " + std::to_string(kMaxText) + " characters";
  }
  const bool hasControls = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (hasControls || !isValidUtf8(text)) return name + " holds characters that cannot be stored";
  return {};
}

bool looksLikePem(const std::string& text) {
  return text.find("-----BEGIN CERTIFICATE-----") != std::string::npos;
}

std::optional<ChangeResult> refuseProbe(const ProbeResult& probe, const std::string& general) {
  switch (probe.status) {
    case ProbeStatus::Accepted:
      return std::nullopt;
    case ProbeStatus::TlsFailure:
      return refused(ChangeStatus::TlsFailure, "SSL error - " + probe.detail);
    case ProbeStatus::NotThatKind:
    case ProbeStatus::Unreachable:
      break;
  }
  return refused(ChangeStatus::ProbeFailed,
                 probe.detail.empty() ? general : general + ": " + probe.detail);
}

}  // namespace

std::string_view toString(UserEndpoints mode) noexcept {
  switch (mode) {
    case UserEndpoints::AdminOnly:
      return "admin_only";
    case UserEndpoints::Enabled:
      return "enabled";
    case UserEndpoints::Disabled:
      break;
  }
  return "disabled";
}

EndpointRegistry::EndpointRegistry(store::EndpointStore& store, LogSink& log,
                                   EndpointRegistryOptions options)
    : store_(store), log_(log), options_(std::move(options)) {}

void EndpointRegistry::addType(std::unique_ptr<EndpointType> type) {
  if (findType(type->name())) {
    throw Error(ErrorCode::AlreadyExists,
                "the endpoint type " + std::string{type->name()} + " exists already");
  }
  types_.push_back(std::move(type));
}

EndpointType* EndpointRegistry::findType(std::string_view name) const noexcept {
  const auto it = std::find_if(types_.begin(), types_.end(),
                               [&](const auto& type) { return type->name() == name; });
  return it == types_.end() ? nullptr : it->get();
}

std::vector<std::string> EndpointRegistry::typeNames() const {
  std::vector<std::string> names;
  for (const auto& type : types_) names.emplace_back(type->name());
  std::sort(names.begin(), names.end());
  return names;
}

bool EndpointRegistry::isVisible(const EndpointRecord& record, const Caller& caller) const {
  if (record.creator.empty()) return true;
  switch (options_.userEndpoints) {
    case UserEndpoints::Disabled:
      return false;
    case UserEndpoints::AdminOnly:
      return caller.isAdmin();
    case UserEndpoints::Enabled:
      return record.creator == caller.user || caller.isAdmin();
  }
  return false;
}

std::vector<EndpointRecord> EndpointRegistry::listVisible(const Caller& caller) const {
  std::vector<EndpointRecord> all = store_.list();
  std::erase_if(all, [&](const EndpointRecord& record) { return !isVisible(record, caller); });
  if (options_.userEndpoints != UserEndpoints::Enabled || caller.isAdmin()) return all;

  // A user's own endpoint hides the system's one of the same address.
  std::vector<std::string> own;
  for (const auto& record : all) {
    if (!record.creator.empty()) own.push_back(record.apiUrl);
  }
  std::erase_if(all, [&](const EndpointRecord& record) {
    return record.creator.empty() && std::find(own.begin(), own.end(), record.apiUrl) != own.end();
  });
  return all;
}

std::vector<EndpointRecord> EndpointRegistry::listRivals(const UserId& user,
                                                         const EndpointRecord& endpoint) const {
  std::vector<EndpointRecord> rivals = store_.list();
  const auto url = Url::tryParse(endpoint.apiUrl);
  std::erase_if(rivals, [&](const EndpointRecord& record) {
    const bool connectable = record.creator.empty() || record.creator == user;
    return !connectable || record.id == endpoint.id ||
           !(url ? sameAddress(record, url->withoutTrailingSlash())
                 : record.apiUrl == endpoint.apiUrl);
  });
  return rivals;
}

std::optional<EndpointRecord> EndpointRegistry::findVisible(const Caller& caller,
                                                            const EndpointId& id) const {
  if (id.empty()) return std::nullopt;
  auto record = store_.find(id);
  if (record && !isVisible(*record, caller)) return std::nullopt;
  return record;
}

std::string EndpointRegistry::problemOf(const Registration& registration) {
  if (registration.name.empty() || registration.apiUrl.empty()) {
    return "Needs CNSI Name and API Endpoint";
  }
  for (const auto& [field, text] :
       {std::pair{"cnsi_name", &registration.name}, std::pair{"api_endpoint", &registration.apiUrl},
        std::pair{"sub_type", &registration.subType},
        std::pair{"cnsi_client_id", &registration.clientId}}) {
    if (std::string problem = textProblem(field, *text); !problem.empty()) return problem;
  }
  if (!registration.caCertificate.empty() && !looksLikePem(registration.caCertificate)) {
    return "ca_cert is not a certificate in PEM form";
  }
  const auto parsed = Url::tryParse(registration.apiUrl);
  if (!parsed || (parsed->scheme() != "https" && parsed->scheme() != "http") ||
      !parsed->userInfo().empty() || !parsed->rawQuery().empty()) {
    return "Failed to get API Endpoint: it must be an http or https URL without user name and "
           "query, for example https://api.example.com";
  }
  return {};
}

ChangeResult EndpointRegistry::add(const Caller& caller, const Registration& registration,
                                   Deadline deadline) {
  EndpointType* type = findType(registration.type);
  if (!type) {
    return refused(
        ChangeStatus::Invalid, "Unknown endpoint_type; this console knows: " + [&] {
          std::string known;
          for (const auto& name : typeNames()) known += (known.empty() ? "" : ", ") + name;
          return known;
        }());
  }
  if (std::string problem = problemOf(registration); !problem.empty()) {
    return refused(ChangeStatus::Invalid, std::move(problem));
  }
  const Url url = Url::parse(registration.apiUrl).withoutTrailingSlash();

  const bool isAdmin = options_.userEndpoints == UserEndpoints::Disabled || caller.isAdmin();
  const bool isSystem =
      isAdmin && (registration.systemEndpoint || options_.userEndpoints == UserEndpoints::Disabled);
  EndpointRecord record;
  record.name = registration.name;
  record.type = std::string{type->name()};
  record.subType = registration.subType;
  record.apiUrl = url.str();
  record.skipSslValidation = registration.skipSslValidation;
  record.ssoAllowed = registration.ssoAllowed;
  record.caCertificate = registration.caCertificate;
  if (registration.clientId.empty()) {
    record.clientId = options_.defaultClientId;
    record.clientSecret = options_.defaultClientSecret;
  } else {
    record.clientId = registration.clientId;
    record.clientSecret = registration.clientSecret;
  }
  if (!isSystem) record.creator = caller.user;
  record.id = idFor(record.apiUrl, record.creator);

  for (const auto& other : store_.list()) {
    if (other.creator == record.creator && sameAddress(other, url)) {
      return refused(ChangeStatus::Duplicate,
                     options_.userEndpoints != UserEndpoints::Disabled && isSystem
                         ? "Can not register same system endpoint multiple times"
                         : "Can not register same endpoint multiple times");
    }
  }
  const ProbeResult probe = type->probe(record, deadline);
  if (auto refusal = refuseProbe(probe, "Failed to validate endpoint")) return *refusal;
  record.authorizationEndpoint = probe.authorizationEndpoint;
  record.tokenEndpoint = probe.tokenEndpoint;
  record.dopplerLoggingEndpoint = probe.dopplerLoggingEndpoint;
  try {
    store_.insert(record);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::AlreadyExists) throw;
    return refused(ChangeStatus::Duplicate, "Can not register same endpoint multiple times");
  }
  log(log_, LogLevel::Info, "endpoint registered",
      {{"endpoint", record.id.str()}, {"type", record.type}, {"user", caller.user.str()}});
  return done(std::move(record));
}

std::optional<ChangeResult> EndpointRegistry::refuseModification(const EndpointRecord& record,
                                                                 const Caller& caller) const {
  if (options_.userEndpoints != UserEndpoints::Enabled) return std::nullopt;
  if (!record.creator.empty() && record.creator == caller.user) return std::nullopt;
  if (caller.isAdmin()) return std::nullopt;
  return refused(ChangeStatus::NotAllowed,
                 record.creator.empty()
                     ? "You must be Stratos admin to modify this endpoint."
                     : "EndpointAdmins are not allowed to modify endpoints created by other "
                       "endpointAdmins.");
}

ChangeResult EndpointRegistry::update(const Caller& caller, const EndpointId& id,
                                      const EndpointChange& change, Deadline deadline) {
  auto stored = store_.find(id);
  if (!stored) return refused(ChangeStatus::NotFound, "No match for that Endpoint");
  if (auto refusal = refuseModification(*stored, caller)) return *refusal;

  EndpointRecord record = *stored;
  if (change.name && !change.name->empty()) record.name = *change.name;
  if (std::string problem = textProblem("name", record.name); !problem.empty()) {
    return refused(ChangeStatus::Invalid, std::move(problem));
  }
  if (change.caCertificate) {
    if (!change.caCertificate->empty() && !looksLikePem(*change.caCertificate)) {
      return refused(ChangeStatus::Invalid, "ca_cert is not a certificate in PEM form");
    }
    record.caCertificate = *change.caCertificate;
  }
  record.skipSslValidation = change.skipSslValidation.value_or(record.skipSslValidation);
  record.ssoAllowed = change.ssoAllowed.value_or(record.ssoAllowed);
  if (change.clientId) {
    if (std::string problem = textProblem("clientID", *change.clientId); !problem.empty()) {
      return refused(ChangeStatus::Invalid, std::move(problem));
    }
    record.clientId = *change.clientId;
    record.clientSecret = change.clientSecret.value_or(Secret{});
  }
  // What would be trusted from now on must work now.
  const bool trustChanges =
      !record.skipSslValidation &&
      (stored->skipSslValidation || record.caCertificate != stored->caCertificate);
  if (trustChanges) {
    EndpointType* type = findType(record.type);
    if (type) {
      const ProbeResult probe = type->probe(record, deadline);
      if (auto refusal = refuseProbe(probe, "Could not validate endpoint")) return *refusal;
    }
  }
  if (!store_.update(record)) return refused(ChangeStatus::NotFound, "No match for that Endpoint");
  log(log_, LogLevel::Info, "endpoint changed",
      {{"endpoint", id.str()}, {"user", caller.user.str()}});
  return done(std::move(record));
}

ChangeResult EndpointRegistry::remove(const Caller& caller, const EndpointId& id) {
  auto stored = store_.find(id);
  if (!stored) return refused(ChangeStatus::NotFound, "No match for that Endpoint");
  if (auto refusal = refuseModification(*stored, caller)) return *refusal;
  if (!store_.removeWithDependents(id)) {
    return refused(ChangeStatus::NotFound, "No match for that Endpoint");
  }
  log(log_, LogLevel::Info, "endpoint unregistered",
      {{"endpoint", id.str()}, {"user", caller.user.str()}});
  return done(std::move(*stored));
}

EndpointId EndpointRegistry::idFor(const std::string& apiUrl, const UserId& creator) {
  return EndpointId{toBase64Url(crypto::sha1(apiUrl + creator.str()))};
}

}  // namespace stratos::endpoint
