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

std::string probe(const std::string& origin) {
  http::PooledTransport transport;
  http::ClientRequest request{"GET", Url::parse(origin + "/pp/v1/ping"), {}, {}, {}};
  // The certificate is made for the name that browsers use. Nothing secret is sent.
  request.trust.skipVerification = true;
  request.trust.anyAddress = true;
  request.deadline = Deadline::after(kLimit);
  const http::ClientResponse response = transport.send(std::move(request));
  if (response.failed()) throw Error(ErrorCode::Unavailable, origin + ": " + response.detail);
  if (response.status != 200) {
    throw Error(ErrorCode::Unavailable, origin + " answers " + std::to_string(response.status));
  }
  return origin + " answers";
}

}  // namespace

int health(SettingMap environment, std::ostream& out, const LookupPlaces& places) {
  try {
    const LookupChain chain(std::move(environment), places);
    const Settings settings(chain);
    const Listeners listeners = loadListeners(settings);
    out << "ok: "
        << probe(listeners.http ? originOf("http", *listeners.http)
                                : originOf("https", *listeners.https))
        << "\n";
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    out << "not well: " << e.what() << "\n";
  }
  return EXIT_FAILURE;
}

}  // namespace stratos::server
