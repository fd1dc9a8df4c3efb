#include "health.hpp"

#include <cstdlib>
#include <ostream>
#include <string>
#include <utility>

#include "server_config.hpp"
#include "settings.hpp"
#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/http/transport.hpp"

namespace stratos::server {
namespace {

// Shorter than the time-outs that container engines and orchestrators are usually told.
constexpr std::chrono::seconds kLimit{5};
constexpr std::size_t kMostReasonBytes = 4096;

// Where this machine reaches a listener.
std::string originOf(const char* scheme, ListenAddress address) {
  if (address.port == 0) {
    throw Error(ErrorCode::InvalidArgument,
                "the port of the listener is 0, so it cannot be known here");
  }
  if (address.host.empty() || address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return std::string(scheme) + "://" + address.str();
}

std::string probe(const std::string& origin, HealthQuestion question) {
  const char* const path = question == HealthQuestion::Live ? "/livez" : "/readyz";
  http::PooledTransport transport;
  http::ClientRequest request{"GET", Url::parse(origin + path), {}, {}, {}};
  // The certificate is made for the name that browsers use. Nothing secret is sent.
  request.trust.skipVerification = true;
  request.trust.anyAddress = true;
  request.deadline = Deadline::after(kLimit);
  http::ClientResponse response = transport.send(std::move(request));
  if (response.failed()) throw Error(ErrorCode::Unavailable, origin + ": " + response.detail);
  if (response.status != 200) {
    // In a line of its own making: whatever listens there may answer anything.
    std::string reason = response.body.readAll(kMostReasonBytes);
    std::erase_if(reason, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    throw Error(ErrorCode::Unavailable,
                origin + " answers " + std::to_string(response.status) + " " + reason);
  }
  return origin + " answers";
}

}  // namespace

int health(SettingMap environment, HealthQuestion question, std::ostream& out,
           const LookupPlaces& places) {
  try {
    const LookupChain chain(std::move(environment), places);
    const Settings settings(chain);
    const Listeners listeners = loadListeners(settings);
    out << "ok: "
        << probe(listeners.http ? originOf("http", *listeners.http)
                                : originOf("https", *listeners.https),
                 question)
        << "\n";
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    out << "not well: " << e.what() << "\n";
  }
  return EXIT_FAILURE;
}

}  // namespace stratos::server
