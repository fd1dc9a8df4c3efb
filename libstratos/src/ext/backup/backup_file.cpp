#include "ext/backup/backup_file.hpp"

#include <algorithm>

#include "ext/backup/json.hpp"
#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/base/url.hpp"
#include "stratos/crypto/digest.hpp"
#include "stratos/crypto/token_cipher.hpp"

namespace stratos::ext::backup {

namespace {

using store::EndpointRecord;
using store::TokenRecord;

constexpr std::size_t kIvBytes = 16;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kMaxSaltBytes = 64;
constexpr std::size_t kMacBytes = 32;
constexpr const char* kKdf = "scrypt";
/// The costs that a file may ask for: not so low that the seal is worth nothing, not so high that
/// it stops the server.
constexpr std::int64_t kMinN = 1 << 14;
constexpr std::int64_t kMaxN = 1 << 17;
constexpr std::int64_t kMaxR = 8;
constexpr std::int64_t kMaxP = 4;

std::string macOf(const File& file, const Seal& seal, const Secret& password) {
  const Secret key = crypto::scrypt(password, seal.salt, seal.cost, kMacBytes);
  return crypto::hmacSha256(key.reveal(), "stratos backup seal v1\n" +
                                              std::to_string(file.dbVersion) + "\n" + file.payload);
}

/// A seal that nothing fits.
Seal brokenSeal() {
  Seal seal;
  seal.version = 0;
  return seal;
}

Seal parseSeal(const rapidjson::Value& object) {
  Seal seal;
  const std::int64_t n = integerMember(object, "n");
  const std::int64_t r = integerMember(object, "r");
  const std::int64_t p = integerMember(object, "p");
  const auto salt = fromBase64(textMember(object, "salt"));
  const auto mac = fromBase64(textMember(object, "mac"));
  const bool isPowerOfTwo = n > 0 && (n & (n - 1)) == 0;
  if (integerMember(object, "version") != 1 || textMember(object, "kdf") != kKdf || n < kMinN ||
      n > kMaxN || !isPowerOfTwo || r < 1 || r > kMaxR || p < 1 || p > kMaxP || !salt ||
      salt->size() < kSaltBytes || salt->size() > kMaxSaltBytes || !mac ||
      mac->size() != kMacBytes) {
    return brokenSeal();
  }
  seal.cost = {.n = static_cast<std::uint64_t>(n),
               .r = static_cast<std::uint32_t>(r),
               .p = static_cast<std::uint32_t>(p)};
  seal.salt = *salt;
  seal.mac = *mac;
  return seal;
}

// -- The URL object of Go's net/url --

/// Escapes what Go's URL.EscapedPath() escapes.
std::string escapePath(std::string_view path) {
  constexpr std::string_view kPlain = "$&+,/:;=@";
  std::string text;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += percentEncode(std::string_view(&c, 1));
    }
  }
  return text;
}

struct GoUrl {
  std::string scheme;
  std::string opaque;
  std::string host;
  std::string path;
  std::string rawPath;
  std::string rawQuery;

  [[nodiscard]] std::string text() const {
    std::string text = scheme.empty() ? "" : scheme + ":";
    if (!opaque.empty()) {
      text += opaque;
    } else {
      if (!scheme.empty() || !host.empty()) text += "//" + host;
      text += rawPath.empty() ? escapePath(path) : rawPath;
    }
    if (!rawQuery.empty()) text += "?" + rawQuery;
    return text;
  }
};

GoUrl split(const std::string& text, bool& hasUser) {
  const auto url = Url::tryParse(text);
  hasUser = url && !url->userInfo().empty();
  GoUrl parts;
  if (url) {
    parts.scheme = url->scheme();
    parts.host = url->hostAsWritten();
    parts.rawQuery = url->rawQuery();
  }
  const std::string rawPath = url ? url->rawPath() : text;
  parts.path = percentDecode(rawPath).value_or(rawPath);
  if (escapePath(parts.path) != rawPath) parts.rawPath = rawPath;
  return parts;
}

void writeUrl(JsonWriter& json, const std::string& text) {
  bool hasUser = false;
  const GoUrl url = split(text, hasUser);
  json.beginObject().member("Scheme", url.scheme).member("Opaque", "").key("User");
  if (hasUser) {
    json.beginObject().endObject();
  } else {
    json.null();
  }
  json.member("Host", url.host)
      .member("Path", url.path)
      .member("RawPath", url.rawPath)
      .member("OmitHost", false)
      .member("ForceQuery", false)
      .member("RawQuery", url.rawQuery)
      .member("Fragment", "")
      .member("RawFragment", "");
  // Go's form has no room for user name and password; upstream loses them.
  if (url.text() != text) json.member("Text", text);
  json.endObject();
}

std::string readUrl(const rapidjson::Value& endpoint) {
  const rapidjson::Value* object = findMember(endpoint, "api_endpoint");
  if (object == nullptr) return {};
  std::string text = textMember(*object, "Text");
  if (text.empty()) {
    text = GoUrl{textMember(*object, "Scheme"),  textMember(*object, "Opaque"),
                 textMember(*object, "Host"),    textMember(*object, "Path"),
                 textMember(*object, "RawPath"), textMember(*object, "RawQuery")}
               .text();
  }
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// -- Records --

void write(JsonWriter& json, const EndpointRecord& record) {
  json.beginObject().key("api_endpoint");
  writeUrl(json, record.apiUrl);
  json.member("authorization_endpoint", record.authorizationEndpoint)
      .member("ca_cert", record.caCertificate)
      .member("client_id", record.clientId)
      .member("client_secret", record.clientSecret.reveal())  // the file is encrypted
      .member("cnsi_type", record.type)
      .member("creator", record.creator.str())
      .member("doppler_logging_endpoint", record.dopplerLoggingEndpoint)
      .member("guid", record.id.str())
      .member("local", false)
      .member("metadata", record.metadata)
      .member("name", record.name)
      .member("skip_ssl_validation", record.skipSslValidation)
      .member("sso_allowed", record.ssoAllowed)
      .member("sub_type", record.subType)
      .member("token_endpoint", record.tokenEndpoint)
      .endObject();
}

void write(JsonWriter& json, const TokenRecord& record) {
  json.beginObject().key("TokenRecord").beginObject();
  json.member("TokenGUID", record.id.str())
      .member("AuthToken", record.authToken.reveal())  // the file is encrypted
      .member("RefreshToken", record.refreshToken.reveal())
      .member("TokenExpiry", record.expiry)
      .member("Disconnected", record.disconnected)
      .member("AuthType", record.authType)
      .member("Metadata", record.metadata)
      .member("SystemShared", record.isShared())
      .member("LinkedGUID", record.linkedTo.str())
      .member("Certificate", "")
      .member("CertificateKey", "")
      .member("Enabled", true)
      .endObject();
  json.member("UserGUID", record.owner.str())
      .member("EndpointGUID", record.endpoint.str())
      .member("TokenType", "cnsi")
      .endObject();
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::InvalidArgument, "Invalid backup - " + why);
}

/// Holds a text against its column: SQLite would take any, PostgreSQL would refuse in the middle.
const std::string& checked(const std::string& text, const char* name, std::size_t columnWidth) {
  const auto isFirstByte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  if (static_cast<std::size_t>(std::count_if(text.begin(), text.end(), isFirstByte)) >
      columnWidth) {
    refuse(std::string(name) + " is longer than " + std::to_string(columnWidth) + " characters");
  }
  if (text.find('\0') != std::string::npos) {
    refuse(std::string(name) + " holds a character that cannot be stored");
  }
  return text;
}

constexpr std::size_t kGuidWidth = 36;
constexpr std::size_t kTypeWidth = 16;
constexpr std::size_t kSubTypeWidth = 64;
constexpr std::size_t kTextWidth = 255;
constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);

EndpointRecord readEndpoint(const rapidjson::Value& object) {
  const auto text = [&](const char* name, std::size_t width) {
    return checked(textMember(object, name), name, width);
  };
  EndpointRecord record;
  record.id = EndpointId(text("guid", kGuidWidth));
  record.name = text("name", kTextWidth);
  record.type = text("cnsi_type", kTypeWidth);
  record.subType = text("sub_type", kSubTypeWidth);
  record.apiUrl = checked(readUrl(object), "api_endpoint", kTextWidth);
  record.authorizationEndpoint = text("authorization_endpoint", kTextWidth);
  record.tokenEndpoint = text("token_endpoint", kTextWidth);
  record.dopplerLoggingEndpoint = text("doppler_logging_endpoint", kTextWidth);
  record.skipSslValidation = flagMember(object, "skip_ssl_validation");
  record.clientId = text("client_id", kTextWidth);
  record.clientSecret = Secret(text("client_secret", kUnbounded));
  record.ssoAllowed = flagMember(object, "sso_allowed");
  record.metadata = text("metadata", kUnbounded);
  record.caCertificate = text("ca_cert", kUnbounded);
  record.creator = UserId(text("creator", kGuidWidth));
  if (record.id.empty() || record.apiUrl.empty()) refuse("an endpoint has no guid or no address");
  return record;
}

TokenRecord readToken(const rapidjson::Value& object) {
  const rapidjson::Value* token = findMember(object, "TokenRecord");
  if (token == nullptr) throw WrongType();
  const auto text = [](const rapidjson::Value& from, const char* name, std::size_t width) {
    return checked(textMember(from, name), name, width);
  };
  const std::string type = textMember(object, "TokenType");
  if (!type.empty() && type != "cnsi") refuse("a token is not one of an endpoint");
  TokenRecord record;
  record.id = TokenId(text(*token, "TokenGUID", kGuidWidth));
  record.owner = UserId(text(object, "UserGUID", kGuidWidth));
  record.endpoint = EndpointId(text(object, "EndpointGUID", kGuidWidth));
  record.authToken = Secret(text(*token, "AuthToken", kUnbounded));
  record.refreshToken = Secret(text(*token, "RefreshToken", kUnbounded));
  record.expiry = integerMember(*token, "TokenExpiry");
  record.disconnected = flagMember(*token, "Disconnected");
  const std::string authType = text(*token, "AuthType", kTextWidth);
  if (!authType.empty()) record.authType = authType;
  record.metadata = text(*token, "Metadata", kUnbounded);
  record.linkedTo = TokenId(text(*token, "LinkedGUID", kGuidWidth));
  if (record.owner.empty() || record.endpoint.empty()) refuse("a token has no user or no endpoint");
  // Upstream records a shared token that its caller used as the caller's own.
  if (flagMember(*token, "SystemShared")) record.owner = UserId(std::string(kSharedUserGuid));
  return record;
}

template <class Record>
std::vector<Record> readList(const rapidjson::Value& object, const char* name,
                             Record (*read)(const rapidjson::Value&)) {
  std::vector<Record> records;
  const rapidjson::Value* list = findMember(object, name);
  if (list == nullptr) return records;
  if (!list->IsArray()) throw WrongType();
  records.reserve(list->Size());
  for (const auto& item : list->GetArray()) records.push_back(read(item));
  return records;
}

}  // namespace

std::string encryptPayload(const Secret& text, const Secret& password, std::string_view iv) {
  const Secret key(crypto::sha256(password.reveal()));
  return crypto::encryptLegacy(key.reveal(), text.reveal(), iv);
}

File close(const Content& content, const Secret& password, std::int64_t dbVersion, Random& random) {
  File file;
  file.payload = encryptPayload(writeContent(content), password, random.bytes(kIvBytes));
  file.dbVersion = dbVersion;
  Seal seal;
  seal.salt = random.bytes(kSaltBytes);
  seal.mac = macOf(file, seal, password);
  file.seal = std::move(seal);
  return file;
}

OpenResult open(const File& file, const Secret& password) {
  if (file.seal && (file.seal->version != 1 ||
                    !constantTimeEquals(macOf(file, *file.seal, password), file.seal->mac))) {
    return {OpenStatus::WrongOrBroken, Secret()};
  }
  if (file.payload.size() < kIvBytes) return {OpenStatus::Truncated, Secret()};
  const Secret key(crypto::sha256(password.reveal()));
  return {OpenStatus::Opened, Secret(crypto::decryptLegacy(key.reveal(), file.payload))};
}

std::string writeFile(const File& file) {
  JsonWriter json;
  json.beginObject().member("payload", toBase64(file.payload)).member("dbVersion", file.dbVersion);
  if (file.seal) {
    const Seal& seal = *file.seal;
    json.key("stratos")
        .beginObject()
        .member("version", seal.version)
        .member("kdf", kKdf)
        .member("n", static_cast<std::int64_t>(seal.cost.n))
        .member("r", seal.cost.r)
        .member("p", seal.cost.p)
        .member("salt", toBase64(seal.salt))
        .member("mac", toBase64(seal.mac))
        .endObject();
  }
  json.endObject();
  return json.str();
}

std::optional<File> parseFile(std::string_view text) {
  const rapidjson::Document document = parseJson(text);
  if (document.HasParseError() || !document.IsObject()) return std::nullopt;
  File file;
  try {
    auto payload = fromBase64(textMember(document, "payload"));
    if (!payload) return std::nullopt;
    file.payload = std::move(*payload);
    file.dbVersion = integerMember(document, "dbVersion");
  } catch (const WrongType&) {
    return std::nullopt;
  }
  // By its exact name: any other is not ours to judge.
  if (const auto seal = document.FindMember("stratos"); seal != document.MemberEnd()) {
    try {
      file.seal = parseSeal(seal->value);
    } catch (const WrongType&) {
      file.seal = brokenSeal();
    }
  }
  return file;
}

Secret writeContent(const Content& content) {
  JsonWriter json;
  // First, where it fills the first block of the cipher together with what must follow: who changes
  // it to hide that a seal is missing spoils the next block.
  json.beginObject().member("Sealed", true).key("Endpoints").beginArray();
  for (const EndpointRecord& record : content.endpoints) write(json, record);
  json.endArray().key("Tokens").beginArray();
  for (const TokenRecord& record : content.tokens) write(json, record);
  json.endArray().endObject();
  return Secret(json.str());
}

std::optional<ParsedContent> parseContent(const Secret& text) {
  const rapidjson::Document document = parseJson(text.reveal());
  if (document.HasParseError() || !document.IsObject()) return std::nullopt;
  try {
    ParsedContent parsed;
    parsed.isSealed = flagMember(document, "Sealed");
    parsed.content.endpoints = readList(document, "Endpoints", &readEndpoint);
    parsed.content.tokens = readList(document, "Tokens", &readToken);
    return parsed;
  } catch (const WrongType&) {
    return std::nullopt;
  }
}

}  // namespace stratos::ext::backup
