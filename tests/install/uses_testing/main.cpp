// Signs in at the simulated UAA with the library's own client.
#include <stratos/auth/uaa_client.hpp>
#include <stratos/testing/simulated_foundation.hpp>

#include <chrono>

int main() {
  using namespace stratos;
  const testing::SimulatedFoundation foundation{{.apps = 1}};
  http::PooledTransport transport;
  auth::UaaClient uaa{transport};
  const auth::UaaTarget target{
      .baseUrl = foundation.uaaUrl(),
      .clientId = "cf",
      .clientSecret = Secret{},
      .trust = {.skipVerification = false, .caCertificatePem = foundation.certificates().caPem()}};
  const auto answer =
      uaa.passwordGrant(target, "user", Secret{"user"}, Deadline::after(std::chrono::seconds{20}));
  return answer.status == auth::GrantStatus::Granted ? 0 : 1;
}
