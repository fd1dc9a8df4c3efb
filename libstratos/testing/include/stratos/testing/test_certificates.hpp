#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stratos/base/export.hpp"

namespace stratos::testing {

/// A certificate with its key, both PEM.
struct TlsIdentity {
  std::string certificatePem;
  std::string keyPem;
};

/// A certification authority that lives as long as this object, for TLS tests without files in the
/// repository. Keys are EC P-256; names that look like addresses become IP entries.
///
/// Thread safety: all members may be called concurrently.
class STRATOS_EXPORT TestCertificates {
 public:
  /// Throws Error(Internal) when OpenSSL refuses.
  explicit TestCertificates(const std::string& commonName = "Stratos test CA");
  ~TestCertificates();
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  [[nodiscard]] const std::string& caPem() const noexcept;
  /// Writes the authority's certificate. Throws Error(Internal) when the file cannot be written.
  void writeCa(const std::string& path) const;

  /// A good certificate for a server that is reached under `names`.
  [[nodiscard]] TlsIdentity issueServer(const std::vector<std::string>& names = {
                                            "127.0.0.1", "localhost"}) const;
  /// The same, but its time has passed.
  [[nodiscard]] TlsIdentity issueExpired(const std::vector<std::string>& names = {
                                             "127.0.0.1", "localhost"}) const;
  /// A good certificate for a host that nobody here has.
  [[nodiscard]] TlsIdentity issueWrongName() const { return issueServer({"elsewhere.example"}); }
  /// A certificate signed by itself instead of this authority.
  [[nodiscard]] TlsIdentity makeSelfSigned(const std::vector<std::string>& names = {
                                               "127.0.0.1", "localhost"}) const;
  /// A certificate by which a client identifies itself.
  [[nodiscard]] TlsIdentity issueClient(const std::string& commonName) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stratos::testing
