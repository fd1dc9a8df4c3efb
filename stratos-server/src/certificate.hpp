#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <Poco/Net/Context.h>

#include "stratos/base/clock.hpp"
#include "stratos/base/log.hpp"
#include "stratos/base/secret.hpp"

namespace stratos::server {

/// A certificate chain with its private key, both PEM.
struct CertificatePair {
  std::string chainPem;
  Secret keyPem;
  std::string origin;  ///< For the log: where it came from.
};

/// Where the server's certificate may be, in order: `devDirectory`, the two files, the two texts,
/// the generated pair in `generatedDirectory`.
struct CertificatePlaces {
  std::filesystem::path devDirectory = "dev-certs";
  std::filesystem::path chainFile;
  std::filesystem::path keyFile;
  std::string chainPem;
  Secret keyPem;
  std::filesystem::path generatedDirectory = ".";
};

/// Every file that these places may be read from.
[[nodiscard]] std::vector<std::filesystem::path> filesOf(const CertificatePlaces& places);

/// A self-signed certificate (EC P-256, RFC 5280) for localhost, the loopback addresses and this
/// host's name, valid for 825 days, the longest that browsers accept.
[[nodiscard]] CertificatePair makeSelfSignedCertificate(const std::string& hostName, TimePoint now);

/// What can be had without making anything: what is configured, or the generated pair when it
/// exists and is valid. Throws Error(InvalidArgument) when a configured file is missing.
[[nodiscard]] std::optional<CertificatePair> findCertificate(const CertificatePlaces& places,
                                                             TimePoint now);
/// The certificate to serve; generates and stores a self-signed one when there is none. A folder
/// that cannot be written only costs its permanence.
[[nodiscard]] CertificatePair obtainCertificate(const CertificatePlaces& places, TimePoint now,
                                                LogSink& log);

/// `AB:CD:...`, as browsers show it. Throws Error(InvalidArgument) when there is no certificate.
[[nodiscard]] std::string fingerprintSha256(const std::string& chainPem);
[[nodiscard]] TimePoint expiryOf(const std::string& chainPem);

/// A context for accepting TLS 1.2 and newer. Throws Error(InvalidArgument) when chain and key do
/// not fit or cannot be read.
[[nodiscard]] Poco::Net::Context::Ptr makeServerContext(const CertificatePair& pair);

}  // namespace stratos::server
