#pragma once

#include "stratos/ext/cloud_foundry.hpp"

namespace stratos::ext {

/// Lets `host` register and connect the foundation whenever somebody signs in. Throws
/// Error(InvalidArgument) when its address is no http or https URL.
void attachAutoRegistration(ExtensionHost& host, AutoRegistration registration);

}  // namespace stratos::ext
