#include "foundation.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "stratos/base/error.hpp"
#include "stratos/base/url.hpp"
#include "stratos/ext/cloud_foundry.hpp"

namespace stratos::server {

namespace {

constexpr std::chrono::seconds kAnswerTime{20};
constexpr std::chrono::seconds kPause{3};

std::string text(const Poco::JSON::Object& object, const char* name) {
  const Poco::Dynamic::Var value = object.get(name);
  return value.isString() ? value.extract<std::string>() : std::string{};
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::InvalidArgument, what); }

}  // namespace

Foundation loadFoundation(const Settings& settings) {
  Foundation foundation;
  try {
    const auto application = Poco::JSON::Parser()
                                 .parse(settings.text("VCAP_APPLICATION"))
                                 .extract<Poco::JSON::Object::Ptr>();
    foundation.apiUrl = text(*application, "cf_api");
    foundation.applicationGuid = text(*application, "application_id");
    foundation.spaceGuid = text(*application, "space_id");
  } catch (const Poco::Exception&) {
    refuse("VCAP_APPLICATION is not the JSON object that Cloud Foundry writes");
  }
  if (settings.isSet("CF_API_URL")) foundation.apiUrl = settings.text("CF_API_URL");
  if (foundation.apiUrl.empty()) {
    refuse(
        "VCAP_APPLICATION holds no cf_api: set CF_API_URL to the API of the foundation, for "
        "example "
        "https://api.example.com");
  }
  constexpr std::string_view kPlain = "http://";
  if (settings.isSet("CF_API_FORCE_SECURE") && foundation.apiUrl.starts_with(kPlain)) {
    foundation.apiUrl.replace(0, kPlain.size(), "https://");
  }
  const auto url = Url::tryParse(foundation.apiUrl);
  if (!url || (url->scheme() != "https" && url->scheme() != "http")) {
    refuse("The API of the foundation (CF_API_URL, or cf_api of VCAP_APPLICATION) is \"" +
           foundation.apiUrl + "\", which is no http or https URL");
  }
  foundation.apiUrl = url->withoutTrailingSlash().str();
  foundation.trust.skipVerification = settings.flag("SKIP_SSL_VALIDATION");
  return foundation;
}

FoundationServers awaitFoundation(const Foundation& foundation, http::Transport& transport,
                                  LogSink& log, const std::stop_token& stop) {
  std::string lastProblem;
  std::mutex mutex;
  std::condition_variable_any condition;
  while (true) {
    const endpoint::ProbeResult answer = ext::discoverCloudFoundry(
        transport, foundation.apiUrl, foundation.trust, Deadline::after(kAnswerTime));
    if (answer.status == endpoint::ProbeStatus::Accepted) {
      return {answer.authorizationEndpoint, answer.tokenEndpoint};
    }
    if (answer.detail != lastProblem) {
      stratos::log(log, LogLevel::Error,
                   "the foundation cannot be asked yet; if the address is wrong set CF_API_URL, if "
                   "its certificate is not trusted set SKIP_SSL_VALIDATION",
                   {{"url", foundation.apiUrl}, {"reason", answer.detail}});
      lastProblem = answer.detail;
    }
    std::unique_lock lock(mutex);
    condition.wait_for(lock, stop, kPause, [] { return false; });
    if (stop.stop_requested()) throw Error(ErrorCode::Cancelled, "asked to stop");
  }
}

}  // namespace stratos::server
