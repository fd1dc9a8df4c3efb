#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <Poco/Net/Context.h>

#include "certificate.hpp"
#include "stratos/base/clock.hpp"
#include "stratos/base/log.hpp"

namespace stratos::server {

/// Brings a certificate that was replaced on disk into use without a restart. One that cannot be
/// used is named in the log, and the one that is served stays.
///
/// Thread safety: look() and reload() from one thread at a time, expiresAt() from any. Lifetime:
/// clock and log must outlive it.
class CertificateWatch {
 public:
  /// Gets the context for the connections that are accepted from now on.
  using Use = std::function<void(Poco::Net::Context::Ptr)>;

  /// `served` is what is in use, read from `places`.
  CertificateWatch(CertificatePlaces places, const CertificatePair& served, Use use,
                   const Clock& clock, LogSink& log);

  /// Reads the files if they have changed since the last time; asks only for their dates otherwise.
  void look();
  /// Reads them in any case: somebody wants to see it done.
  void reload();

  /// When the certificate that is served ends.
  [[nodiscard]] TimePoint expiresAt() const noexcept {
    return TimePoint{TimePoint::duration{expiresAt_}};
  }

 private:
  /// What tells one state of a file from another; zeros when it is not there.
  using FileState = std::array<std::int64_t, 5>;
  [[nodiscard]] std::vector<FileState> state() const;
  /// Returns whether another pair is served now.
  bool read();
  void take(const CertificatePair& pair);

  const CertificatePlaces places_;
  const Use use_;
  const Clock& clock_;
  LogSink& log_;
  std::vector<FileState> seen_;  ///< Empty at first: the first look reads.
  std::string servedChain_;
  Secret servedKey_;
  std::atomic<TimePoint::rep> expiresAt_{0};
};

}  // namespace stratos::server
