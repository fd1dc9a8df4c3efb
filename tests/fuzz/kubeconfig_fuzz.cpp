#include <string>

#include "ext/kubernetes/kubeconfig.hpp"
#include "fuzz.hpp"

// Input: a kubeconfig.

namespace stratos::fuzz {

void run(std::string_view input) {
  using ext::kubernetes::findUser;
  const auto found = findUser(std::string{input}, Url::parse("https://k.example:6443"));
  require(found.user.has_value() == found.problem.empty(), "there is a user or a reason");
  if (!found.user) return;
  require(input.find("Config") != std::string_view::npos, "only a kubeconfig has users");
  for (const char c : found.user->token.reveal()) {
    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a token fits into a header");
  }
  require(found.user->certificatePem.empty() ||
              found.user->certificatePem.find("-----BEGIN ") != std::string::npos,
          "a certificate is PEM");
}

}  // namespace stratos::fuzz
