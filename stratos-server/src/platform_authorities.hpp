#pragma once

#include "settings.hpp"
#include "stratos/base/log.hpp"

namespace stratos::server {

/// Makes the certificates in the folder that CF_SYSTEM_CERT_PATH names trusted by all outgoing
/// calls, in addition to the system's: those of the operator of a Cloud Foundry, which the platform
/// puts there. Does nothing when SSL_CERT_FILE says already what to trust. Sets a variable of the
/// process: call it before there is a second thread.
///
/// Throws Error(InvalidArgument) when the folder cannot be read.
void trustPlatformAuthorities(const Settings& settings, LogSink& log);

}  // namespace stratos::server
