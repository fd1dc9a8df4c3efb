#include <charconv>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <string>

#include "json.hpp"
#include "stratos/base/error.hpp"
#include "stratos/testing/simulated_foundation.hpp"

namespace {

using stratos::Error;
using stratos::ErrorCode;
using stratos::testing::Json;
using stratos::testing::SimulatedFoundation;
using stratos::testing::SimulatedFoundationOptions;

constexpr int kUsageError = 2;

constexpr const char* kHelp =
    R"(stratos-sim: a simulated Cloud Foundry to try the console against

Usage: stratos-sim [options]

  --host ADDRESS         address to listen on (127.0.0.1)
  --api-port PORT        port of the Cloud Controller (any free one)
  --uaa-port PORT        port of the UAA (any free one)
  --control-port PORT    port of the control API, always on 127.0.0.1 (any free one)
  --tls | --no-tls       HTTPS with a certificate authority of its own (default), or HTTP
  --ca-file FILE         write that authority's certificate here (PEM)
  --refresh-mode MODE    keep (default), rotate, rotate-once or omit
  --opaque-tokens        access tokens that are no JWTs
  --apps N               how many applications to generate (2000)
  --token-validity S     life of an access token in seconds (600)
  --no-v2                a foundation without the v2 API
  --help                 this text

Users: admin/admin and user/user. Clients: cf (empty secret), console/consolesecret.
When ready it prints one line of JSON with the addresses; SIGINT and SIGTERM end it.
)";

struct Settings {
  SimulatedFoundationOptions options;
  std::string caFile;
  bool help = false;
};

std::uint64_t toNumber(const std::string& option, const std::string& text, std::uint64_t limit) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end || value > limit) {
    throw Error(ErrorCode::InvalidArgument, option + " needs a whole number up to " +
                                                std::to_string(limit) + ", not '" + text + "'");
  }
  return value;
}

Settings parseArguments(int argc, char** argv) {
  Settings settings;
  SimulatedFoundationOptions& options = settings.options;
  const auto toPort = [](const std::string& name, const std::string& value) {
    return static_cast<std::uint16_t>(
        toNumber(name, value, std::numeric_limits<std::uint16_t>::max()));
  };
  const std::map<std::string, std::function<void()>> flags{
      {"--tls", [&] { options.tls = true; }},
      {"--no-tls", [&] { options.tls = false; }},
      {"--opaque-tokens", [&] { options.opaqueAccessTokens = true; }},
      {"--no-v2", [&] { options.v2 = false; }},
      {"--help", [&] { settings.help = true; }},
  };
  using Setter = std::function<void(const std::string&, const std::string&)>;
  const std::map<std::string, Setter> values{
      {"--host", [&](auto&, auto& v) { options.host = v; }},
      {"--api-port", [&](auto& n, auto& v) { options.apiPort = toPort(n, v); }},
      {"--uaa-port", [&](auto& n, auto& v) { options.uaaPort = toPort(n, v); }},
      {"--control-port", [&](auto& n, auto& v) { options.controlPort = toPort(n, v); }},
      {"--ca-file", [&](auto&, auto& v) { settings.caFile = v; }},
      {"--refresh-mode",
       [&](auto&, auto& v) { options.refreshMode = stratos::testing::parseRefreshMode(v); }},
      {"--apps", [&](auto& n, auto& v) { options.apps = toNumber(n, v, 1'000'000); }},
      {"--token-validity",
       [&](auto& n, auto& v) {
         options.accessTokenValidity = std::chrono::seconds{toNumber(n, v, 1'000'000'000)};
       }},
  };
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (const auto flag = flags.find(name); flag != flags.end()) {
      flag->second();
      continue;
    }
    const auto setter = values.find(name);
    if (setter == values.end()) {
      throw Error(ErrorCode::InvalidArgument, "unknown option '" + name + "'");
    }
    if (i + 1 == argc) throw Error(ErrorCode::InvalidArgument, name + " needs a value");
    setter->second(name, argv[++i]);
  }
  if (!settings.caFile.empty() && !options.tls) {
    throw Error(ErrorCode::InvalidArgument, "--ca-file makes no sense with --no-tls");
  }
  return settings;
}

/// Lets the two users be somebody in the first organization.
void giveRoles(SimulatedFoundation& foundation) {
  auto& controller = foundation.cloudController();
  const std::string user = foundation.uaa().userGuid("user");
  controller.addRole("organization_manager", controller.organizationGuid(0),
                     foundation.uaa().userGuid("admin"));
  controller.addRole("organization_user", controller.organizationGuid(0), user);
  controller.addRole("space_developer", controller.spaceGuid(0), user);
}

/// Serves until SIGINT or SIGTERM.
void run(const Settings& settings) {
  // Blocked before any thread starts, so that sigwait() below is the only one to see them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  SimulatedFoundation foundation(settings.options);
  giveRoles(foundation);
  if (!settings.caFile.empty()) foundation.certificates().writeCa(settings.caFile);
  std::cout << Json::object({{"api", foundation.apiUrl()},
                             {"uaa", foundation.uaaUrl()},
                             {"control", foundation.controlUrl()},
                             {"caFile", settings.caFile}})
                   .dump()
            << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  try {
    settings = parseArguments(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "stratos-sim: " << e.what() << "\nTry stratos-sim --help\n";
    return kUsageError;
  }
  if (settings.help) {
    std::cout << kHelp;
    return EXIT_SUCCESS;
  }
  try {
    run(settings);
  } catch (const std::exception& e) {
    std::cerr << "stratos-sim: " << e.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
