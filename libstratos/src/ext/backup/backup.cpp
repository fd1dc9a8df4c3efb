#include "stratos/ext/backup.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "ext/backup/backup_file.hpp"
#include "ext/backup/json.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/store/backup_store.hpp"
#include "stratos/store/schema.hpp"

namespace stratos::ext {

namespace {

using backup::OpenStatus;
using http::Request;
using http::Response;
using store::TokenRecord;

constexpr std::size_t kMinPasswordCharacters = 6;  // As the front end asks for.
constexpr std::size_t kBackupRequestLimitBytes = 1024 * 1024;
constexpr std::size_t kRestoreRequestLimitBytes = 64 * 1024 * 1024;
/// What a restore sends besides the file: the password, and the file's escaped quotes.
constexpr std::size_t kRestoreEnvelopeBytes = 64 * 1024;
constexpr const char* kNotOpened = "The password is wrong or the file was changed";

/// Ends a request with an answer of upstream's error shape.
class Refusal : public std::exception {
 public:
  Refusal(int status, std::string text) : status_(status), text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] Response response() const {
    JsonWriter json;
    json.beginObject().member("status", "error").member("error", text_).endObject();
    return Response::text(status_, json.str());
  }

 private:
  int status_;
  std::string text_;
};

enum class Connect { None, Current, All };

struct Selection {
  EndpointId endpoint;
  Connect connect = Connect::None;
};

struct BackupRequest {
  std::vector<Selection> selected;
  Secret password;
};

struct RestoreRequest {
  std::string data;
  Secret password;
  bool ignoreDbVersion = false;
};

std::string readBody(Request& request, std::size_t limit) {
  const Refusal tooLarge(
      413, "The request is larger than " + std::to_string(limit / (1024 * 1024)) + " MiB");
  if (request.body.length().value_or(0) > limit) throw tooLarge;
  std::string body;
  std::array<char, 16 * 1024> buffer;
  while (const std::size_t count = request.body.read(buffer.data(), buffer.size())) {
    if (body.size() + count > limit) throw tooLarge;
    body.append(buffer.data(), count);
  }
  if (body.empty()) throw Refusal(400, "Invalid request body");
  return body;
}

rapidjson::Document parseBody(const Secret& body) {
  rapidjson::Document document = backup::parseJson(body.reveal());
  if (document.HasParseError() || !document.IsObject()) throw backup::WrongType();
  return document;
}

Connect parseConnect(const std::string& text) {
  if (text == "ALL") return Connect::All;
  return text == "CURRENT" ? Connect::Current : Connect::None;
}

BackupRequest parseBackupRequest(Request& request) {
  const Secret body(readBody(request, kBackupRequestLimitBytes));
  BackupRequest parsed;
  try {
    const rapidjson::Document document = parseBody(body);
    parsed.password = Secret(backup::textMember(document, "password"));
    const rapidjson::Value* state = backup::findMember(document, "state");
    if (state != nullptr && !state->IsObject()) throw backup::WrongType();
    if (state == nullptr || state->ObjectEmpty()) {
      throw Refusal(400, "Invalid request body - no endpoints to backup");
    }
    for (const auto& entry : state->GetObject()) {
      const Connect connect = parseConnect(backup::textMember(entry.value, "connect"));
      if (!backup::flagMember(entry.value, "endpoint")) continue;
      parsed.selected.push_back(
          {EndpointId({entry.name.GetString(), entry.name.GetStringLength()}), connect});
    }
  } catch (const backup::WrongType&) {
    throw Refusal(400, "Invalid request body - could not parse JSON");
  }
  const std::string& password = parsed.password.reveal();
  const auto isFirstByte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  if (static_cast<std::size_t>(std::count_if(password.begin(), password.end(), isFirstByte)) <
      kMinPasswordCharacters) {
    throw Refusal(400, "Invalid request body - the password must have at least " +
                           std::to_string(kMinPasswordCharacters) + " characters");
  }
  return parsed;
}

RestoreRequest parseRestoreRequest(Request& request) {
  const Secret body(readBody(request, kRestoreRequestLimitBytes));
  try {
    const rapidjson::Document document = parseBody(body);
    return {.data = backup::textMember(document, "data"),
            .password = Secret(backup::textMember(document, "password")),
            .ignoreDbVersion = backup::flagMember(document, "ignoreDbVersion")};
  } catch (const backup::WrongType&) {
    throw Refusal(400, "Invalid request body - could not parse JSON");
  }
}

const UserId& callerOf(const Request& request) {
  const auto* signedIn = request.find<SignedIn>();
  if (signedIn == nullptr) {
    throw Error(ErrorCode::Internal, "a backup route was built without its session step");
  }
  return signedIn->user;
}

class Backup final : public Extension {
 public:
  Backup(db::Database& database, const crypto::TokenCipher& cipher, Random& random)
      : database_(database),
        random_(random),
        rows_(database, cipher, random),
        tokens_(database, cipher, random) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "backup"; }

  void attach(ExtensionHost& host) override {
    log_ = &host.log();
    host_ = &host;
    addRoute(host, "/pp/v1/endpoints/backup", "backup.create", &Backup::backUp);
    addRoute(host, "/pp/v1/endpoints/restore", "backup.restore", &Backup::restore);
  }

 private:
  using Step = Response (Backup::*)(Request&);

  void addRoute(ExtensionHost& host, std::string path, std::string_view action, Step step) {
    host.addRoute(RouteAccess::Admin, "POST", std::move(path),
                  [this, action, step](Request& request) {
                    try {
                      Response response = (this->*step)(request);
                      audit(request, action, "success");
                      return response;
                    } catch (const Refusal& refusal) {
                      audit(request, action, "failed", refusal.text());
                      return refusal.response();
                    }
                  });
  }

  void audit(const Request& request, std::string_view action, std::string_view outcome,
             std::string_view reason = {}) {
    host_->audit(request, {.action = action,
                           .outcome = outcome,
                           .user = callerOf(request).str(),
                           .account = {},
                           .target = {},
                           .reason = reason});
  }

  Response backUp(Request& request) {
    const BackupRequest wanted = parseBackupRequest(request);
    const UserId& user = callerOf(request);
    std::int64_t version = 0;
    try {
      version = store::reportedSchemaVersion(database_);
    } catch (const Error& error) {
      throw failed(502, "Could not find database version", error);
    }
    backup::Content content;
    std::set<EndpointId> all;
    std::set<EndpointId> ids;
    for (const Selection& each : wanted.selected) {
      ids.insert(each.endpoint);
      if (each.connect == Connect::All) all.insert(each.endpoint);
    }
    try {
      content.endpoints = rows_.readEndpoints(ids);
    } catch (const Error& error) {
      throw failed(502, "Failed to fetch endpoints", error);
    }
    try {
      content.tokens = rows_.readTokens(all, [this](const TokenRecord& token) {
        log(*log_, LogLevel::Warning, "a token that cannot be decrypted is not in the backup",
            {{"token", token.id.str()},
             {"endpoint", token.endpoint.str()},
             {"user", token.owner.str()}});
      });
    } catch (const Error& error) {
      throw failed(502, "Failed to fetch tokens for endpoints", error);
    }
    for (const Selection& each : wanted.selected) {
      if (each.connect == Connect::Current) content.tokens.push_back(findOwn(user, each.endpoint));
    }
    std::string file = backup::writeFile(backup::close(content, wanted.password, version, random_));
    // Better no file than one that cannot be restored.
    if (file.size() > kRestoreRequestLimitBytes - kRestoreEnvelopeBytes) {
      throw Refusal(400, "The backup is larger than a restore accepts; select fewer endpoints");
    }
    log(*log_, LogLevel::Info, "backup made",
        {{"user", user.str()},
         {"endpoints", content.endpoints.size()},
         {"tokens", content.tokens.size()}});
    Response response = Response::json(200, std::move(file));
    response.headers.set("Content-Type", "application/json");
    return response;
  }

  /// What the user uses for the endpoint, links followed. A shared token stays shared.
  TokenRecord findOwn(const UserId& user, const EndpointId& endpoint) {
    const std::string text = "Request to back up connected user's (" + user.str() +
                             ") token for endpoint (" + endpoint.str() + ") failed.";
    try {
      auto token = tokens_.findForEndpoint(user, endpoint);
      if (!token) throw Refusal(502, text);
      token->endpoint = endpoint;
      // The file holds the contents. Restored beside the console token that they came from, they
      // become a link again.
      token->linkedTo = TokenId();
      return std::move(*token);
    } catch (const Error& error) {
      throw failed(502, text, error);
    }
  }

  Response restore(Request& request) {
    const RestoreRequest wanted = parseRestoreRequest(request);
    const auto file = backup::parseFile(wanted.data);
    if (!file) throw Refusal(400, "Invalid backup - could not parse JSON");
    if (!wanted.ignoreDbVersion) requireOwnVersion(file->dbVersion);

    const backup::OpenResult opened = backup::open(*file, wanted.password);
    if (opened.status == OpenStatus::WrongOrBroken) throw Refusal(400, kNotOpened);
    if (opened.status == OpenStatus::Truncated) throw Refusal(500, "Failed to decrypt payload");
    const auto parsed = parse(opened.text);
    if (!parsed) {
      throw Refusal(400, "Failed to parse payload. This could be due to an incorrect password");
    }
    if (parsed->isSealed && !file->seal) throw Refusal(400, kNotOpened);

    store::RestoreReport report;
    try {
      report = rows_.restore(parsed->content.endpoints, parsed->content.tokens);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Internal) throw;
      throw failed(500, error.publicMessage(), error);
    }
    host_->rowsChanged();
    log(*log_, LogLevel::Info, "backup restored",
        {{"user", callerOf(request).str()},
         {"endpoints", report.endpoints},
         {"tokens", report.tokens},
         {"tokens_left_out", report.leftOut},
         {"sealed", file->seal.has_value()}});
    return Response::empty(200);
  }

  void requireOwnVersion(std::int64_t version) {
    std::int64_t own = 0;
    try {
      own = store::reportedSchemaVersion(database_);
    } catch (const Error& error) {
      throw failed(500, "Failed to connect to db", error);
    }
    if (version != own) {
      throw Refusal(400, "Incompatible database versions. Expected " + std::to_string(own) +
                             " but got " + std::to_string(version));
    }
  }

  static std::optional<backup::ParsedContent> parse(const Secret& text) {
    try {
      return backup::parseContent(text);
    } catch (const Error& error) {
      throw Refusal(400, error.publicMessage());
    }
  }

  /// The cause goes to the log only.
  Refusal failed(int status, std::string text, const Error& cause) const {
    log(*log_, LogLevel::Error, text, {{"reason", cause.what()}});
    return {status, std::move(text)};
  }

  db::Database& database_;
  Random& random_;
  store::BackupStore rows_;
  store::SqlTokenStore tokens_;
  ExtensionHost* host_ = nullptr;
  LogSink* log_ = nullptr;  ///< Set in attach().
};

}  // namespace

std::unique_ptr<Extension> makeBackup(db::Database& database, const crypto::TokenCipher& cipher,
                                      Random& random) {
  return std::make_unique<Backup>(database, cipher, random);
}

}  // namespace stratos::ext
