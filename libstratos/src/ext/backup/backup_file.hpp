#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stratos/base/random.hpp"
#include "stratos/base/secret.hpp"
#include "stratos/crypto/key_derivation.hpp"
#include "stratos/store/endpoint_store.hpp"
#include "stratos/store/token_store.hpp"

namespace stratos::ext::backup {

/// What a backup holds.
struct Content {
  std::vector<store::EndpointRecord> endpoints;
  std::vector<store::TokenRecord> tokens;
};

/// How a file proves that it is whole and that the password is right: an HMAC-SHA-256 under a key
/// that scrypt makes of the password. Upstream's reader skips it.
struct Seal {
  int version = 1;
  crypto::ScryptCost cost;
  std::string salt;
  std::string mac;
};

/// The file: a JSON object with `payload`, `dbVersion` and, when made here, `stratos` (the seal).
struct File {
  std::string payload;  ///< The encrypted content: 16 bytes initial vector, then AES-256-CFB.
  std::int64_t dbVersion = 0;
  std::optional<Seal> seal;
};

enum class OpenStatus {
  Opened,
  Truncated,     ///< The payload is too short to be one.
  WrongOrBroken  ///< The seal does not fit: another password, or the file was changed.
};

/// Encrypts and seals.
[[nodiscard]] File close(const Content& content, const Secret& password, std::int64_t dbVersion,
                         Random& random);

/// The payload's text, checked against the seal if the file has one.
struct OpenResult {
  OpenStatus status = OpenStatus::Opened;
  Secret text;
};
[[nodiscard]] OpenResult open(const File& file, const Secret& password);

/// Upstream's encryption of the text: AES-256-CFB under SHA-256 of the password.
[[nodiscard]] std::string encryptPayload(const Secret& text, const Secret& password,
                                         std::string_view iv);

[[nodiscard]] std::string writeFile(const File& file);
/// Empty when `text` is not the JSON of a backup file. A seal that is not in its form counts as one
/// that does not fit.
[[nodiscard]] std::optional<File> parseFile(std::string_view text);

[[nodiscard]] Secret writeContent(const Content& content);
/// Content and whether its writer has sealed the file that it was in.
struct ParsedContent {
  Content content;
  bool isSealed = false;
};
/// Empty when `text` is not the JSON of a payload, as after decryption with a wrong password.
/// Throws Error(InvalidArgument) when it is, but holds what the database cannot store.
[[nodiscard]] std::optional<ParsedContent> parseContent(const Secret& text);

}  // namespace stratos::ext::backup
