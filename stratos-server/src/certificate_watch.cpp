#include "certificate_watch.hpp"

#include <exception>
#include <optional>
#include <utility>

#include <sys/stat.h>

#include "stratos/base/error.hpp"

namespace stratos::server {

CertificateWatch::CertificateWatch(CertificatePlaces places, const CertificatePair& served, Use use,
                                   const Clock& clock, LogSink& log)
    : places_(std::move(places)), use_(std::move(use)), clock_(clock), log_(log) {
  take(served);
}

void CertificateWatch::look() {
  // Before the files are read: what changes meanwhile is seen the next time.
  auto now = state();
  if (now == seen_) return;
  seen_ = std::move(now);
  static_cast<void>(read());
}

void CertificateWatch::reload() {
  seen_ = state();
  if (!read()) stratos::log(log_, LogLevel::Info, "the certificate stays as it is");
}

bool CertificateWatch::read() {
  try {
    const TimePoint now = clock_.now();
    const auto pair = findCertificate(places_, now);
    if (!pair) throw Error(ErrorCode::NotFound, "There is none any more");
    if (pair->chainPem == servedChain_ && pair->keyPem == servedKey_) return false;
    const auto context = makeServerContext(*pair);
    const std::string fingerprint = fingerprintSha256(pair->chainPem);
    take(*pair);
    use_(context);
    stratos::log(
        log_, LogLevel::Info, "another certificate is served from now on",
        {{"origin", pair->origin}, {"sha256", fingerprint}, {"not_after", toRfc3339(expiresAt())}});
    if (expiresAt() <= now) stratos::log(log_, LogLevel::Warning, "the certificate has expired");
    return true;
  } catch (const std::exception& e) {
    stratos::log(
        log_, LogLevel::Error,
        "the certificate was replaced by one that cannot be used; the old one is served on",
        {{"reason", e.what()}});
  }
  return false;
}

void CertificateWatch::take(const CertificatePair& pair) {
  expiresAt_ = expiryOf(pair.chainPem).time_since_epoch().count();
  servedChain_ = pair.chainPem;
  servedKey_ = pair.keyPem;
}

std::vector<CertificateWatch::FileState> CertificateWatch::state() const {
  std::vector<FileState> states;
  for (const auto& file : filesOf(places_)) {
    struct stat info {};
    // Through symbolic links: orchestrators replace the folder behind one.
    if (::stat(file.c_str(), &info) != 0) info = {};
    states.push_back(
        {static_cast<std::int64_t>(info.st_dev), static_cast<std::int64_t>(info.st_ino),
         static_cast<std::int64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
  }
  return states;
}

}  // namespace stratos::server
