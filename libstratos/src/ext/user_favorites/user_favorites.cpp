#include "stratos/ext/user_favorites.hpp"

#include <optional>
#include <string>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"
#include "stratos/store/favorite_store.hpp"

namespace stratos::ext {

namespace {

using http::Request;
using http::Response;
using store::Favorite;

constexpr std::size_t kBodyLimitBytes = 64 * 1024;
/// What the columns of upstream's table hold.
constexpr std::size_t kMaxTypeBytes = 16;
constexpr std::size_t kMaxTextBytes = 255;

rapidjson::Document parse(std::string_view text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  return document;
}

std::string toText(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

rapidjson::Document readObject(Request& request) {
  rapidjson::Document document = parse(request.body.readAll(kBodyLimitBytes));
  if (document.HasParseError() || !document.IsObject()) {
    throw Error(ErrorCode::InvalidArgument, "The body must be a JSON object");
  }
  return document;
}

std::string text(const rapidjson::Document& document, const char* name, std::size_t limitBytes) {
  const auto member = document.FindMember(name);
  if (member == document.MemberEnd() || member->value.IsNull()) return {};
  if (!member->value.IsString()) {
    throw Error(ErrorCode::InvalidArgument, std::string{name} + " must be a string");
  }
  if (member->value.GetStringLength() > limitBytes) {
    throw Error(ErrorCode::InvalidArgument,
                std::string{name} + " is longer than " + std::to_string(limitBytes) + " bytes");
  }
  return {member->value.GetString(), member->value.GetStringLength()};
}

Favorite readFavorite(Request& request) {
  const rapidjson::Document document = readObject(request);
  Favorite favorite{.guid = {},
                    .endpointType = text(document, "endpointType", kMaxTypeBytes),
                    .endpointId = text(document, "endpointId", kMaxTextBytes),
                    .entityType = text(document, "entityType", kMaxTextBytes),
                    .entityId = text(document, "entityId", kMaxTextBytes),
                    .metadata = {}};
  if (favorite.endpointType.empty() || favorite.endpointId.empty()) {
    throw Error(ErrorCode::InvalidArgument, "Must provide both endpointId and endpointType");
  }
  const auto metadata = document.FindMember("metadata");
  if (metadata != document.MemberEnd() && !metadata->value.IsNull()) {
    if (!metadata->value.IsObject()) {
      throw Error(ErrorCode::InvalidArgument, "metadata must be an object");
    }
    favorite.metadata = toText(metadata->value);
  }
  favorite.guid = store::favoriteGuid(favorite);
  if (favorite.guid.size() > kMaxTextBytes) {
    throw Error(ErrorCode::InvalidArgument, "The ids and types are too long together");
  }
  return favorite;
}

void write(JsonWriter& json, const Favorite& favorite) {
  json.beginObject()
      .member("guid", favorite.guid)
      .member("endpointType", favorite.endpointType)
      .member("endpointId", favorite.endpointId)
      .member("entityType", favorite.entityType)
      .member("entityId", favorite.entityId)
      .key("metadata");
  // A row that cannot be read must not cost the user the whole list.
  const rapidjson::Document metadata = parse(favorite.metadata);
  if (!metadata.HasParseError() && metadata.IsObject()) {
    json.raw(toText(metadata));
  } else {
    json.null();
  }
  json.endObject();
}

Response done(const char* sentence) {
  JsonWriter json;
  json.beginObject().member("response", sentence).endObject();
  return Response::json(200, json.str());
}

const UserId& userOf(const Request& request) { return request.find<SignedIn>()->user; }

class UserFavorites final : public Extension {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "userfavorites"; }

  void attach(ExtensionHost& host) override {
    favorites_.emplace(host.database());
    const auto route = [&](const char* method, const char* pattern,
                           Response (UserFavorites::*handler)(Request&)) {
      host.addRoute(RouteAccess::Session, method, pattern,
                    [this, handler](Request& request) { return (this->*handler)(request); });
    };
    route("GET", "/pp/v1/favorites", &UserFavorites::list);
    route("POST", "/pp/v1/favorites", &UserFavorites::add);
    route("POST", "/pp/v1/favorites/:guid/metadata", &UserFavorites::setMetadata);
    route("DELETE", "/pp/v1/favorites/:guid", &UserFavorites::remove);
  }

 private:
  Response list(Request& request) {
    JsonWriter json;
    json.beginArray();
    for (const Favorite& favorite : favorites_->listForUser(userOf(request))) {
      write(json, favorite);
    }
    json.endArray();
    return Response::json(200, json.str());
  }

  Response add(Request& request) {
    const Favorite favorite = readFavorite(request);
    if (!favorites_->insertIfAbsent(userOf(request), favorite)) {
      throw Error(ErrorCode::AlreadyExists, "This is a favorite already");
    }
    JsonWriter json;
    write(json, favorite);
    return Response::json(200, json.str());
  }

  Response setMetadata(Request& request) {
    const rapidjson::Document metadata = readObject(request);
    if (!favorites_->setMetadata(userOf(request), request.pathParam("guid"), toText(metadata))) {
      throw Error(ErrorCode::NotFound, "There is no such favorite");
    }
    return done("Favorite metadata updated okay");
  }

  Response remove(Request& request) {
    // Deleting what is not there has always been a success.
    favorites_->remove(userOf(request), request.pathParam("guid"));
    return done("Favorite deleted okay");
  }

  std::optional<store::FavoriteStore> favorites_;
};

}  // namespace

std::unique_ptr<Extension> makeUserFavorites() { return std::make_unique<UserFavorites>(); }

}  // namespace stratos::ext
