#include "platform_authorities.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "stratos/base/error.hpp"

namespace stratos::server {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> certificateFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension();
    if (extension == ".crt" || extension == ".pem") files.push_back(it->path());
  }
  if (error) {
    throw Error(ErrorCode::InvalidArgument, "The folder " + folder.string() +
                                                ", which CF_SYSTEM_CERT_PATH names, cannot be "
                                                "read: " +
                                                error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A file of this process alone, which ends with it: OpenSSL takes authorities from files only.
std::string keepInMemory(const std::string& content) {
  const int descriptor = ::memfd_create("stratos-authorities", MFD_CLOEXEC);
  if (descriptor < 0 ||
      ::write(descriptor, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    throw Error(ErrorCode::Internal,
                std::string("Cannot keep the platform's certificates: ") + std::strerror(errno));
  }
  return "/proc/self/fd/" + std::to_string(descriptor);
}

}  // namespace

void trustPlatformAuthorities(const Settings& settings, LogSink& log) {
  if (!settings.isSet("CF_SYSTEM_CERT_PATH")) return;
  const char* const chosen = std::getenv("SSL_CERT_FILE");
  if (chosen != nullptr && *chosen != '\0') return;
  const std::vector<fs::path> files = certificateFiles(settings.text("CF_SYSTEM_CERT_PATH"));
  std::string bundle;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    bundle.append(std::istreambuf_iterator<char>(in), {}).append("\n");
  }
  if (bundle.find("-----BEGIN CERTIFICATE-----") == std::string::npos) return;
  // Beside it OpenSSL goes on looking into the system's folder of authorities.
  ::setenv("SSL_CERT_FILE", keepInMemory(bundle).c_str(), 1);
  stratos::log(log, LogLevel::Info, "trusting the platform's certificates, too",
               {{"folder", settings.text("CF_SYSTEM_CERT_PATH")}, {"files", files.size()}});
}

}  // namespace stratos::server
