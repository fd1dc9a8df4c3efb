#include "ext/user_invite/foundation_calls.hpp"

#include <algorithm>

#include <rapidjson/document.h>

#include "stratos/base/encoding.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/json_writer.hpp"

namespace stratos::ext::invite {

namespace {

constexpr std::size_t kAnswerLimitBytes = 4 * 1024 * 1024;
constexpr int kUnprocessable = 422;
constexpr const char* kUnreadable = "its answer cannot be read";

rapidjson::Document parse(const std::string& text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  return document;
}

const rapidjson::Value* member(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  const auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string text(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = member(object, name);
  return value != nullptr && value->IsString()
             ? std::string{value->GetString(), value->GetStringLength()}
             : std::string{};
}

/// The first entry of `errors` of a v3 answer, or what a UAA says.
CallProblem problemOf(int status, const std::string& body) {
  CallProblem problem{.status = status, .code = {}, .message = {}};
  const rapidjson::Document document = parse(body);
  if (!document.HasParseError()) {
    const rapidjson::Value* errors = member(document, "errors");
    if (errors != nullptr && errors->IsArray() && !errors->Empty()) {
      problem.code = text((*errors)[0], "title");
      problem.message = text((*errors)[0], "detail");
    } else {
      problem.code = text(document, "error");
      problem.message = text(document, "error_description");
    }
  }
  if (problem.message.empty()) problem.message = "it answered " + std::to_string(status);
  return problem;
}

/// v3 has no code of its own for what is there already.
bool isThereAlready(const CallProblem& problem) {
  return problem.status == kUnprocessable && problem.message.find("already") != std::string::npos;
}

void readInvitees(const rapidjson::Document& document, const char* list, bool failed,
                  std::vector<Invitee>& invitees) {
  const rapidjson::Value* entries = member(document, list);
  if (entries == nullptr || !entries->IsArray()) return;
  for (const auto& entry : entries->GetArray()) {
    const std::string email = text(entry, "email");
    const auto found = std::find_if(invitees.begin(), invitees.end(),
                                    [&](const Invitee& each) { return each.email == email; });
    if (found == invitees.end()) continue;
    found->userId = text(entry, "userid");
    found->link = text(entry, "inviteLink");
    found->errorCode = text(entry, "errorCode");
    found->errorMessage = text(entry, "errorMessage");
    if (!failed && (found->userId.empty() || found->link.empty())) failed = true;
    if (failed && found->errorCode.empty()) found->errorCode = "Stratos-InviteFailure";
    if (!failed) found->errorCode.clear();
  }
}

}  // namespace

FoundationCalls::FoundationCalls(http::Transport& transport, auth::TokenProvider& tokens,
                                 const store::EndpointRecord& endpoint, auth::TokenResult token,
                                 Deadline deadline)
    : transport_(transport),
      tokens_(tokens),
      endpoint_(endpoint),
      token_(std::move(token)),
      deadline_(deadline) {}

Url FoundationCalls::apiUrl(const std::string& path) const {
  const Url base = Url::parse(endpoint_.apiUrl).withoutTrailingSlash();
  return Url::parse(base.str() + path);
}

FoundationCalls::Answer FoundationCalls::send(const std::string& method, const Url& url,
                                              const std::string& body) {
  constexpr int kTries = 2;
  Answer answer;
  for (int i = 0; i < kTries; ++i) {
    const auth::Credential credential =
        tokens_.schemes().of(token_.record).credential(token_.record);
    http::ClientRequest request{.method = method,
                                .url = url,
                                .headers = {{"Accept", "application/json"}},
                                .body = body,
                                .trust = auth::uaaOf(endpoint_).trust,
                                .deadline = deadline_};
    request.headers.set("Authorization", credential.authorization);
    if (!body.empty()) request.headers.set("Content-Type", "application/json");
    // No redirects: the token is meant for this address.
    http::ClientResponse response = transport_.send(std::move(request));
    if (response.failed()) {
      answer.problem = "it cannot be reached";
      return answer;
    }
    answer.status = response.status;
    try {
      answer.body = response.body.readAll(kAnswerLimitBytes);
    } catch (const Error&) {
      answer.problem = "it broke off its answer";
      return answer;
    }
    if (answer.status != 401 || i + 1 == kTries) break;
    auth::TokenResult newer = tokens_.renew(endpoint_, token_.record, deadline_);
    if (!newer.ok()) break;
    token_ = std::move(newer);
  }
  return answer;
}

std::vector<Invitee> FoundationCalls::invite(const std::vector<std::string>& emails,
                                             const std::string& clientId,
                                             const std::string& redirectUri, CallProblem& problem) {
  JsonWriter json;
  json.beginObject().key("emails").beginArray();
  for (const std::string& email : emails) json.value(email);
  json.endArray().endObject();
  const Url uaa = Url::parse(endpoint_.authorizationEndpoint).withoutTrailingSlash();
  const Answer answer =
      send("POST",
           Url::parse(uaa.str() + "/invite_users?" +
                      encodeForm({{"client_id", clientId}, {"redirect_uri", redirectUri}})),
           json.str());
  std::vector<Invitee> invitees;
  if (!answer.problem.empty()) {
    problem = {.status = 0, .code = {}, .message = answer.problem};
    return invitees;
  }
  if (answer.status != 200) {
    problem = problemOf(answer.status, answer.body);
    return invitees;
  }
  const rapidjson::Document document = parse(answer.body);
  if (document.HasParseError()) {
    problem = {.status = answer.status, .code = {}, .message = kUnreadable};
    return invitees;
  }
  for (const std::string& email : emails) {
    Invitee invitee;
    invitee.email = email;
    invitee.errorCode = "Stratos-InviteFailure";
    invitee.errorMessage = "The UAA says nothing about this address";
    invitees.push_back(std::move(invitee));
  }
  readInvitees(document, "new_invites", false, invitees);
  readInvitees(document, "failed_invites", true, invitees);
  return invitees;
}

CallProblem FoundationCalls::addUser(const std::string& userId) {
  JsonWriter json;
  json.beginObject().member("guid", userId).endObject();
  const Answer answer = send("POST", apiUrl("/v3/users"), json.str());
  if (!answer.problem.empty())
    return {.status = 0, .code = "Stratos-Unreachable", .message = answer.problem};
  if (answer.status == 201) return {};
  CallProblem problem = problemOf(answer.status, answer.body);
  if (isThereAlready(problem)) return {};
  if (problem.code.empty()) problem.code = "Stratos-UserFailure";
  return problem;
}

CallProblem FoundationCalls::addRole(const std::string& type, const std::string& target,
                                     const std::string& userId) {
  const auto reference = [](JsonWriter& json, const char* name, const std::string& guid) {
    json.key(name).beginObject().key("data").beginObject().member("guid", guid).endObject();
    json.endObject();
  };
  JsonWriter json;
  json.beginObject().member("type", type).key("relationships").beginObject();
  reference(json, "user", userId);
  reference(json, type.starts_with("space_") ? "space" : "organization", target);
  json.endObject().endObject();
  const Answer answer = send("POST", apiUrl("/v3/roles"), json.str());
  if (!answer.problem.empty())
    return {.status = 0, .code = "Stratos-Unreachable", .message = answer.problem};
  if (answer.status == 201) return {};
  CallProblem problem = problemOf(answer.status, answer.body);
  if (isThereAlready(problem)) return {};
  if (problem.code.empty()) problem.code = "Stratos-RoleFailure";
  return problem;
}

bool FoundationCalls::hasOrganizationRole(const std::string& type, const std::string& organization,
                                          const std::string& userId, CallProblem& problem) {
  const Answer answer = send("GET",
                             apiUrl("/v3/roles?" + encodeForm({{"types", type},
                                                               {"organization_guids", organization},
                                                               {"user_guids", userId}})),
                             {});
  if (!answer.problem.empty()) {
    problem = {.status = 0, .code = {}, .message = answer.problem};
    return false;
  }
  if (answer.status != 200) {
    problem = problemOf(answer.status, answer.body);
    return false;
  }
  const rapidjson::Document document = parse(answer.body);
  const rapidjson::Value* resources =
      document.HasParseError() ? nullptr : member(document, "resources");
  if (resources == nullptr || !resources->IsArray()) {
    problem = {.status = answer.status, .code = {}, .message = kUnreadable};
    return false;
  }
  return !resources->Empty();
}

}  // namespace stratos::ext::invite
