#pragma once

#include <string_view>

#include "stratos/base/export.hpp"
#include "stratos/base/log.hpp"
#include "stratos/http/message.hpp"

namespace stratos {

/// One entry of the audit trail; the views are good until writeAudit() returns. Never a secret.
/// libstratos/doc/audit.md lists the actions and the meaning of the fields; both are stable.
struct AuditEvent {
  std::string_view action;   ///< What was tried: `session.login`, `api_key.create`, ...
  std::string_view outcome;  ///< `success`, `refused` (not allowed) or `failed` (could not be done).
  std::string_view user;     ///< GUID of who did it; empty when unknown.
  std::string_view account;  ///< Name as typed or known; empty when unknown.
  std::string_view target;   ///< What it was done to: a GUID or a name; empty for oneself.
  std::string_view reason;   ///< Why it did not succeed; empty otherwise.
};

/// Writes one log line `audit` at level info, with the client's address and the request's id.
STRATOS_EXPORT void writeAudit(LogSink& log, const http::Request& request, const AuditEvent& event);

}  // namespace stratos
