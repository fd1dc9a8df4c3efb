#include "stratos/console/audit.hpp"

#include "console/request_id.hpp"

namespace stratos {

void writeAudit(LogSink& log, const http::Request& request, const AuditEvent& event) {
  const auto* id = request.find<console::RequestId>();
  const std::string name = id ? id->str() : "";
  stratos::log(log, LogLevel::Info, "audit",
               {{"event", event.action},
                {"outcome", event.outcome},
                {"user", event.user},
                {"account", event.account},
                {"target", event.target},
                {"reason", event.reason},
                {"remote", request.clientAddress()},
                {"request", name}});
}

}  // namespace stratos
