#pragma once

#include <string>
#include <vector>

#include "stratos/auth/token_provider.hpp"
#include "stratos/http/transport.hpp"
#include "stratos/store/endpoint_store.hpp"

namespace stratos::ext::invite {

/// What became of one address, as the UAA says it and the front end reads it. A value.
struct Invitee {
  std::string email;
  std::string userId;
  std::string link;          ///< Whoever has it is that user: only for the mail.
  std::string errorCode;     ///< Empty: invited.
  std::string errorMessage;  ///< For the user; no secret.

  [[nodiscard]] bool failed() const noexcept { return !errorCode.empty(); }
};

/// A call that was not answered as hoped.
struct CallProblem {
  int status = 0;       ///< 0 when there was no answer.
  std::string code;     ///< `CF-NotAuthorized`, ...; empty when none was given.
  std::string message;  ///< For the user; no secret.
};

/// The calls to the UAA and the Cloud Controller (v3) of one endpoint that an invitation takes,
/// each with the token of one user, renewed once when it is refused. Not for several threads.
/// The collaborators must outlive it.
class FoundationCalls {
 public:
  FoundationCalls(http::Transport& transport, auth::TokenProvider& tokens,
                  const store::EndpointRecord& endpoint, auth::TokenResult token,
                  Deadline deadline);

  /// Makes users of the addresses, `POST /invite_users` of the UAA. What the UAA says about others
  /// than these addresses is dropped, and an address that it forgets has failed.
  [[nodiscard]] std::vector<Invitee> invite(const std::vector<std::string>& emails,
                                            const std::string& clientId,
                                            const std::string& redirectUri, CallProblem& problem);
  /// Lets the Cloud Controller know a user of the UAA. Empty problem: it does, or did already.
  [[nodiscard]] CallProblem addUser(const std::string& userId);
  /// `type` is one of v3's roles (`organization_user`, ...). Empty problem: the user has it now.
  [[nodiscard]] CallProblem addRole(const std::string& type, const std::string& target,
                                    const std::string& userId);
  /// Whether the user has that role in that organization.
  [[nodiscard]] bool hasOrganizationRole(const std::string& type, const std::string& organization,
                                         const std::string& userId, CallProblem& problem);

 private:
  struct Answer {
    int status = 0;
    std::string body;
    std::string problem;
  };
  [[nodiscard]] Answer send(const std::string& method, const Url& url, const std::string& body);
  [[nodiscard]] Url apiUrl(const std::string& path) const;

  http::Transport& transport_;
  auth::TokenProvider& tokens_;
  const store::EndpointRecord& endpoint_;
  auth::TokenResult token_;
  Deadline deadline_;
};

}  // namespace stratos::ext::invite
